import assert from "node:assert/strict";
import { openStore } from "../../lease/open.ts";
import { FlanError } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";
import { isPrintable } from "../../net/text.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const tools = { clock: new FakeClock(), log: silent };

Deno.test("file stores are opened by path, and say it as the user writes it", () => {
  for (const url of ["file:/a/b.json", "file:///a/b.json", "FILE:/a/b.json"]) {
    assert.equal(openStore(url, tools).url, "file:/a/b.json");
  }
  assert.equal(openStore("file:b.json", tools).url, "file:b.json");
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
  ["", /a scheme is missing$/, /file:PATH$/],
];

for (const [url, says, hint] of refused) {
  Deno.test(`store ${JSON.stringify(url)} is refused`, () => {
    assert.throws(() => openStore(url, tools), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, says);
      assert.ok(error.message.startsWith("Cannot open store ") && isPrintable(error.message));
      if (hint !== undefined) assert.match(error.hint!, hint);
      return true;
    });
  });
}

Deno.test("opening a store touches nothing", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-open-" });
  openStore(`file:${directory}/sub/network.json`, tools).close();
  assert.deepEqual([...Deno.readDirSync(directory)], []);
  await Deno.remove(directory);
});
