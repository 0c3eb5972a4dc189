/** How a document is followed, in virtual time. */
import assert from "node:assert/strict";
import { type Document, EMPTY } from "../../../lease/document/document.ts";
import { follow } from "../../../lease/http/follow.ts";
import type { Held } from "../../../lease/http/http_document.ts";
import { FlanError } from "../../../net/errors.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

const held = (revision: number, waits: boolean): Held => ({
  etag: `"${revision}"`,
  waits,
  document: { ...EMPTY, revision },
});

/** Follows for `ms` what `answer` gives, and tells of each question, each change and each trouble. */
async function followed(ms: number, answer: (clock: FakeClock, signal: AbortSignal) => Held | Promise<Held>) {
  const clock = new FakeClock();
  const over = new AbortController();
  const asked: number[] = [];
  const seen: number[] = [];
  const troubles: (string | undefined)[] = [];
  const ask = async () => {
    asked.push(clock.monotonic());
    return await answer(clock, over.signal);
  };
  const following = follow({ read: ask, next: ask }, {
    clock,
    changed: ({ revision }: Document) => seen.push(revision),
    troubled: (error) => troubles.push(error?.code),
    signal: over.signal,
  });
  following.catch(() => {}); // awaited below
  await clock.turn();
  await clock.advance(ms);
  over.abort();
  await following;
  return { asked, seen, troubles };
}

Deno.test("a server that cannot wait is asked every 5 to 6 seconds", async () => {
  const { asked, seen } = await followed(60_000, () => held(1, false));
  assert.deepEqual(seen, [1]);
  assert.ok(asked.length >= 11 && asked.length <= 14, String(asked));
});

Deno.test("a server that waits is asked again when it has answered, without a pause", async () => {
  const { asked } = await followed(60_000, async (clock, signal) => {
    await clock.sleep(20_000, signal);
    return held(1, true);
  });
  assert.deepEqual(asked, [0, 20_000, 40_000, 60_000]);
});

Deno.test("a server that says that it waits and does not is no hot loop", async () => {
  const { asked } = await followed(60_000, () => held(1, true));
  assert.ok(asked.length <= 15, String(asked));
});

Deno.test("a server that always has another document is asked ten times a second at most", async () => {
  let revision = 0;
  const { asked } = await followed(1000, () => held(++revision, true));
  assert.ok(asked.length <= 12, String(asked));
});

Deno.test("an older document, and another of the same revision, are changes like any other", async () => {
  const answers = [held(7, true), held(3, true), { ...held(3, true), etag: '"other"' }];
  const { seen } = await followed(1000, () => answers.shift() ?? held(3, false));
  assert.deepEqual(seen, [7, 3, 3, 3]);
});

Deno.test("trouble is told once for each cause, tried again ever less often, and its end is told", async () => {
  const until = 10 * 60_000;
  const away = () => new FlanError("away", { op: "store.read", code: "store" });
  const { asked, troubles } = await followed(until + 60_000, (clock) => {
    if (clock.monotonic() < until) throw away();
    return held(1, false);
  });
  assert.deepEqual(troubles, ["store", undefined]);
  const tries = asked.filter((at) => at < until);
  assert.ok(tries.length >= 20 && tries.length <= 60, String(tries.length));
  const pauses = tries.slice(1).map((at, i) => at - tries[i]!);
  assert.ok(pauses.every((pause) => pause >= 250 && pause <= 30_000));
});

Deno.test("a token file that cannot be read for a moment is trouble, and not the end", async () => {
  let first = true;
  const { seen, troubles } = await followed(60_000, () => {
    if (!first) return held(1, false);
    first = false;
    throw new FlanError("Cannot use --store-token-file", { op: "store.credentials", code: "invalid" });
  });
  assert.deepEqual([seen, troubles], [[1], ["store-denied", undefined]]);
});

Deno.test("a defect is not taken for trouble", async () => {
  await assert.rejects(followed(1000, () => Promise.reject(new RangeError("defect"))), RangeError);
});

Deno.test("a server of which every second answer fails is trouble that lasts, and is asked ever less often", async () => {
  const away = () => new FlanError("away", { op: "store.read", code: "store" });
  for (const waits of [false, true]) {
    let [count, revision] = [0, 0];
    const { asked, troubles, seen } = await followed(20 * 60_000, () => {
      if (count++ % 2 === 1) throw away();
      return held(waits ? ++revision : 1, waits);
    });
    assert.deepEqual(troubles, ["store", undefined, "store", undefined, "store"]);
    assert.ok(asked.length < 160, String(asked.length));
    // What its good answers bring is taken all the same.
    assert.equal(seen.length, waits ? revision : 1);
  }
});

Deno.test("a server that is well again for a while is believed, and asked again soon when it fails later", async () => {
  let count = 0;
  const { asked, troubles } = await followed(180_000, (clock) => {
    const at = clock.monotonic();
    if (at < 60_000 ? count++ % 2 === 1 : at >= 120_000 && at < 130_000) {
      throw new FlanError("away", { op: "store.read", code: "store" });
    }
    return held(1, false);
  });
  assert.deepEqual(troubles, [
    "store",
    undefined,
    "store",
    undefined,
    "store",
    undefined,
    "store",
    undefined,
  ]);
  const [first, second] = asked.filter((at) => at >= 120_000);
  assert.ok(second! - first! <= 500, String([first, second]));
});
