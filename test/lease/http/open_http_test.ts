import assert from "node:assert/strict";
import { openStore } from "../../../lease/open.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";
import { silent } from "../../../net/log.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

const clock = new FakeClock();

async function opened(url: string, credentials: Credentials = {}): Promise<string> {
  const store = await openStore(url, { clock, log: silent, credentials });
  store.close();
  return store.url;
}

Deno.test("a store over HTTP says its URL in one way", async () => {
  const ways: [string, string][] = [
    ["http://h:4380/network.json", "http://h:4380/network.json"],
    ["HTTP://H:80/network.json", "http://h/network.json"],
    ["https://h:443/a/../b/c.json", "https://h/b/c.json"],
    ["https://[2001:DB8::1]:4380/x", "https://[2001:db8::1]:4380/x"],
  ];
  for (const [given, canonical] of ways) assert.equal(await opened(given), canonical);
});

const refused: [url: string, credentials: Credentials, says: RegExp, hint: RegExp | undefined][] = [
  ["http://me:secret@h/x.json", {}, /a user or password/, /--store-token-file/],
  ["http://me@h/x.json", {}, /a user or password/, /--store-token-file/],
  ["http://h/x.json#leases", {}, /a part/, /--store http:\/\/h\/x\.json$/],
  ["http://h/x.json?wait=1", {}, /a query/, /--store http:\/\/h\/x\.json$/],
  ["http://h:4380", {}, /names no document/, /--store http:\/\/h:4380\/network\.json$/],
  ["http://h/a/", {}, /names no document/, /--store http:\/\/h\/a\/network\.json$/],
  ["http:", {}, /not a URL/, /http:\/\/HOST/],
  ["http://h:99999/x.json", {}, /not a URL/, /http:\/\/HOST/],
  ["http://h/x.json", { user: "root" }, /--store-user is for etcd/, /--store-token-file/],
  ["http://h/x.json", { passwordFile: "/p" }, /--store-password-file is for etcd/, /--store-token-file/],
  ["http://h/x.json", { ca: "/ca" }, /--store-ca need TLS/, /--store https:\/\/h\/x\.json$/],
  ["http://h/x.json", { cert: "/c", key: "/k" }, /--store-cert and --store-key need TLS/, /https:/],
  ["https://h/x.json", { cert: "/c" }, /go together/, undefined],
];

for (const [url, credentials, says, hint] of refused) {
  Deno.test(`store ${url} with ${JSON.stringify(credentials)} is refused`, async () => {
    await assert.rejects(opened(url, credentials), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /secret/);
      if (hint !== undefined) assert.match(error.hint!, hint);
      return true;
    });
  });
}

Deno.test("a token that cannot be one is refused before it is sent", async () => {
  const tokenFile = await Deno.makeTempFile();
  Deno.writeTextFileSync(tokenFile, "two words\n");
  const store = await openStore("http://127.0.0.1:1/x.json", {
    clock,
    log: silent,
    credentials: { tokenFile },
  });
  await assert.rejects(store.read(), { code: "invalid", message: /one token/ });
  store.close();
  await Deno.remove(tokenFile);
});
