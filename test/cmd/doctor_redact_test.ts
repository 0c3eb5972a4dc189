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
  `passphrase=${S}`,
  `pwd=${S}`,
  `DB_PW=${S}`,
  `PGPASS=${S}`,
  `WG_KEY=${S}`,
  `auth = ${S}`,
  `https://h/a?access_key=${S}&x=1`,
  `https://h/a?x=1&key=${S}`,
  `x="a&api-token=${S}"`,
  `curl -u user:${S} https://h`,
  `curl -uuser:${S} https://h`,
  `curl --user "user:two ${S}" https://h`,
  `sshpass -p ${S} ssh h`,
  `sshpass -v -p'a ${S}' ssh h`,
  `mysql -u root -p${S} db`,
  `openssl rsa -passin pass:${S}`,
  `--auth-key "two ${S}"`,
  `--token 'cut off ${S}`,
  `Authorization: Token ${S}`,
  `Proxy-Authorization: Digest username="a", response="${S}"`,
  `-H "Authorization: "Token" ${S}"`,
  `Set-Cookie: a=b; id=${S}`,
  `password: two ${S}`,
  `secret=two ${S} "three`,
  `password: "a\\" ${S}"`,
  `token="a\\\\\\" ${S}" b`,
  `m={\\"PSK\\":\\"a\\\\\\"${S}\\"}`,
  `m={\\\\\\"PSK\\\\\\":\\\\\\"${S}\\\\\\"}`,
  `token='it'\\''s ${S}'`,
  `token='it'"'"'s ${S}'`,
  `SubnetAddCommand=curl https://h/${S}`,
  `"command":"curl https://h/${S}"`,
  `Cannot set up 10.5.2.0/24: exit code 22 of "curl \\"h\\" ${S}": 404`,
  `it took more than 10 s and was killed: "curl ${S}"`,
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

Deno.test("redact: the commands of an extension network go whole, and what it is else stays", () => {
  const names = ["PreStartup", "PostStartup", "Shutdown", "SubnetAdd", "SubnetRemove"];
  const commands = Object.fromEntries(names.map((name) => [`${name}Command`, `curl https://h/${S}`]));
  const document = { Network: "10.5.0.0/16", Backend: { Type: "extension", ...commands } };
  const { Network, Backend } = JSON.parse(redactDocument(JSON.stringify(document)));
  assert.deepEqual([Network, Backend.Type], ["10.5.0.0/16", "extension"]);
  for (const name of names) assert.equal(Backend[`${name}Command`], "<redacted>");
});

Deno.test("redact: what stands around a secret stays", () => {
  const kept: readonly [string, string][] = [
    [`{"PSK":"${S}","VNI":7}`, '{"PSK":<redacted>,"VNI":7}'],
    [`token=${S} host=h1\npassword: a b\nhost=h2`, "token=<redacted> host=h1\npassword: <redacted>\nhost=h2"],
    [`curl -u a:${S} https://h`, "curl -u <redacted> https://h"],
    [`sshpass -p ${S} ssh h`, "sshpass -p <redacted> ssh h"],
    ['exit code 22 of "curl h": 404', "exit code 22 of <redacted>: 404"],
    ["sudo -u root ip -u link", "sudo -u root ip -u link"],
  ];
  for (const [text, safe] of kept) assert.equal(redact(text), safe);
});

Deno.test("redact: long texts of one kind take no longer than their length", () => {
  for (const part of ["a", "pass", "key=", "--", '"', "\\\\", "sshpass -p", "-----BEGIN x", "a://", " -u "]) {
    redact(part.repeat(100_000 / part.length));
  }
});

Deno.test("redact: names of files, addresses and what is no secret stay", () => {
  const plain =
    "store-token-file=/etc/flan/token --store-password-file /etc/p https://h1:4380/net via 192.0.2.1:8472";
  assert.equal(redact(plain), plain);
  const document = { setting: "store-key", value: "/etc/flan/key.pem", since: "2026-01-01T00:00:00Z" };
  assert.deepEqual(JSON.parse(redactDocument(JSON.stringify(document))), document);
});
