/** Items that wait for their reader, and those who wait for the reader. */
import assert from "node:assert/strict";
import { Queue } from "../../net/queue.ts";

/** Reads as long as `deal` takes for each item; `ended` resolves when it has ended. */
function read(queue: Queue<number>, deal: (item: number) => Promise<void> = () => Promise.resolve()) {
  const taken: number[] = [];
  const ended = (async () => {
    for await (const item of queue) {
      await deal(item);
      taken.push(item);
    }
  })();
  return { taken, ended };
}

Deno.test("queue: what was added is taken in when its reader has dealt with it and asks for more", async () => {
  const queue = new Queue<number>();
  const { taken, ended } = read(queue, () => new Promise((resolve) => queueMicrotask(resolve)));
  for (let i = 0; i < 3; i++) {
    queue.add(2 * i);
    queue.add(2 * i + 1);
    await queue.takenIn();
    assert.equal(taken.length, 2 * i + 2);
  }
  await queue.takenIn();
  queue.add(6);
  queue.end();
  await ended;
  assert.deepEqual(taken, [0, 1, 2, 3, 4, 5, 6]);
  await queue.takenIn();
});

Deno.test("queue: nobody is waited for who does not read, or has left", async () => {
  const queue = new Queue<number>();
  queue.add(1);
  await queue.takenIn();
  const { promise, reject } = Promise.withResolvers<void>();
  const { ended } = read(queue, () => promise);
  const waiting = queue.takenIn();
  reject(new Error("it fails"));
  await assert.rejects(ended, /it fails/);
  await waiting;
  await queue.takenIn();
});
