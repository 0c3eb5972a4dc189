/** `deno task test`: what its two rows of parts tell, and when. */
import assert from "node:assert/strict";
import { Beside, type Tell } from "../../tasks/beside.ts";

/** Work that tells and ends when the test says so. */
function stage() {
  let seen = "";
  const beside = new Beside((text) => seen += text);
  const acting = new Map<string, { tell: Tell; end: () => void }>();
  const work = (name: string, tell: Tell) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    acting.set(name, { tell, end: () => resolve(name) });
    return promise;
  };
  const end = async (name: string) => {
    acting.get(name)!.end();
    await new Promise<void>((done) => queueMicrotask(done));
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return {
    beside,
    work,
    end,
    tell: (name: string, text: string) => acting.get(name)!.tell(text),
    seen: () => seen,
  };
}

Deno.test("beside: the second row is seen between two of the first, and as it comes once that is done", async () => {
  const { beside, work, end, tell, seen } = stage();
  const done = beside.run({ first: ["a", "b"], second: ["x", "y", "z"] }, work);
  tell("x", "x1 ");
  tell("a", "a1 ");
  await end("x");
  assert.equal(seen(), "a1 ");
  tell("y", "y1 ");
  await end("a");
  assert.equal(seen(), "a1 x1 ", "what has ended, whole");
  tell("b", "b1 ");
  await end("b");
  assert.equal(seen(), "a1 x1 b1 y1 ");
  tell("y", "y2 ");
  assert.equal(seen(), "a1 x1 b1 y1 y2 ");
  await end("y");
  tell("z", "z1");
  assert.equal(seen(), "a1 x1 b1 y1 y2 z1");
  await end("z");
  assert.deepEqual(await done, ["a", "b", "x", "y", "z"]);
});

Deno.test("beside: a second row that has no first one is seen as it comes", async () => {
  const { beside, work, end, tell, seen } = stage();
  const done = beside.run({ first: [], second: ["x"] }, work);
  tell("x", "x1 ");
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.equal(seen(), "x1 ");
  tell("x", "x2");
  assert.equal(seen(), "x1 x2");
  await end("x");
  assert.deepEqual(await done, ["x"]);
});

Deno.test("beside: nothing that was told is lost to whoever interrupts it", () => {
  const { beside, work, tell, seen } = stage();
  void beside.run({ first: ["a"], second: ["x"] }, work);
  tell("x", "x1");
  assert.equal(seen(), "");
  beside.flush();
  assert.equal(seen(), "x1");
});
