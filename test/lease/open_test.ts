import assert from "node:assert/strict";
import { openStore } from "../../lease/open.ts";
import { FlanError } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";
import { isPrintable } from "../../net/text.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const tools = { clock: new FakeClock(), log: silent };

Deno.test("file stores are opened by path, and say it as the user writes it", async () => {
  for (const url of ["file:/a/b.json", "file:///a/b.json", "FILE:/a/b.json"]) {
    assert.equal((await openStore(url, tools)).url, "file:/a/b.json");
  }
  assert.equal((await openStore("file:b.json", tools)).url, "file:b.json");
});

const refused: [url: string, says: RegExp, hint: RegExp | undefined][] = [
  ["file:/etc/passwd", /must end in \.json$/, undefined],
  ["file:/a/.json", /must end in \.json$/, undefined],
  ["file:", /must end in \.json$/, undefined],
  ["file://host/a.json", /names another host$/, undefined],
  ["file:/a\u0000.json", /not printable$/, undefined],
  ["file:/a\u001b[2J.json", /not printable$/, undefined],
  ["ectd://h1:2379", /did you mean "etcd"$/, /etcd:/],
  ["fil:/a.json", /did you mean "file"$/, /file:/],
  ["htps://h", /did you mean "http/, /http/],
  ["redis://h", /"redis" is not a kind of store/, /file:/],
  ["/var/lib/flan/network.json", /a scheme is missing$/, /file:\/var\/lib\/flan\/network\.json$/],
  ["", /a scheme is missing$/, /file:\/PATH\/network\.json$/],
];

for (const [url, says, hint] of refused) {
  Deno.test(`store ${JSON.stringify(url)} is refused`, async () => {
    await assert.rejects(openStore(url, tools), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, says);
      assert.ok(error.message.startsWith("Cannot open store ") && isPrintable(error.message));
      if (hint !== undefined) assert.match(error.hint!, hint);
      return true;
    });
  });
}

/** Mistyped in all ways that leave a password in a URL. */
const secret = [
  "ectd://root:s3cret@h1:2379/net",
  "etcd:/root:s3cret@h1/net",
  "etcd:root:s3cret@h1/net",
  "etcd://root:s3/cret@h1:2379/net",
  "etcd://root:s3?cret@h1/net",
  "etcd:///root:s3cret@h1/net",
  "http://u:s3cret@h:99999/x.json",
  "http://u:s3/cret@h/x.json",
  "http:u:s3cret@h/x.json",
  "https://u:s3cret@h/x.json",
  "file://u:s3cret@h/x.json",
  "file:/u:s3cret@h/x",
  "//root:s3cret@h1/net",
  "root:s3cret@h1:2379",
  "etcd://root:s3cret@h1\u0007/net",
];

for (const url of secret) {
  Deno.test(`no message or hint shows the password in ${JSON.stringify(url)}`, async () => {
    await assert.rejects(openStore(url, tools), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, /"(?:[a-z]+:\/+)?…@h/);
      assert.doesNotMatch(`${error.message} ${error.hint}`, /s3|cret/);
      return true;
    });
  });
}

Deno.test("opening a store touches nothing", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-open-" });
  (await openStore(`file:${directory}/sub/network.json`, tools)).close();
  assert.deepEqual([...Deno.readDirSync(directory)], []);
  await Deno.remove(directory);
});
