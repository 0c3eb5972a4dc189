/** Secrets in every form in which they may stand in a log, a document or a program's output. */
import assert from "node:assert/strict";
import { redact, redactDocument } from "../../cmd/doctor/redact.ts";

const S = "hunter2xyz";
const KEY = "aGVsbG8gdGhpcyBpcyBhIHNlY3JldCBrZXkgMzIgYnk=";

const texts: readonly string[] = [
  `etcd://root:${S}@h1:2379/net`,
  `etcd://root:a@b${S}/c@h1:2379/net`,
  `FLAN_STORE_TOKEN=${S}`,
  `password: "${S} with spaces"`,
  `{"PSK":"${S}"}`,
  `message={\\"PSK\\":\\"${S}\\"}`,
  `psk = '${S} more'`,
  `--store-password ${S}`,
  `Authorization: Bearer ${S}`,
  `authorization=Basic ${S}`,
  `PSK=${S},VNI=7`,
  `-----BEGIN PRIVATE KEY-----\n${S}\n-----END PRIVATE KEY-----`,
  `-----BEGIN RSA PRIVATE KEY-----\n${S}\ncut off`,
];

for (const text of texts) {
  Deno.test(`redact: ${JSON.stringify(text.replaceAll(S, "…"))} loses its secret`, () => {
    assert.ok(!redact(text).includes(S), redact(text));
    assert.ok(!redactDocument(JSON.stringify({ a: [{ b: text }] })).includes(S));
  });
}

Deno.test("redact: a key in base64 goes, whatever it is called", () => {
  assert.equal(redact(`peer ${KEY} up`), "peer <redacted> up");
});

Deno.test("redact: in a document the name says what is secret, whatever the value", () => {
  const document = { Backend: { PSK: [S, { deep: S }], Type: "wireguard" }, apiKey: 5, note: `token=${S}` };
  assert.deepEqual(JSON.parse(redactDocument(JSON.stringify(document))), {
    Backend: { PSK: "<redacted>", Type: "wireguard" },
    apiKey: "<redacted>",
    note: "token=<redacted>",
  });
});

Deno.test("redact: names of files, addresses and what is no secret stay", () => {
  const plain =
    "store-token-file=/etc/flan/token --store-password-file /etc/p https://h1:4380/net via 192.0.2.1:8472";
  assert.equal(redact(plain), plain);
  const document = { setting: "store-key", value: "/etc/flan/key.pem", since: "2026-01-01T00:00:00Z" };
  assert.deepEqual(JSON.parse(redactDocument(JSON.stringify(document))), document);
});
