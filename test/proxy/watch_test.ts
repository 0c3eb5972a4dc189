/** Following a proxy that answers when it should not. */
import assert from "node:assert/strict";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { ProxyClient } from "../../proxy/client.ts";
import { ProxyWatch } from "../../proxy/watch.ts";
import { FakeClock } from "../lib/fake_clock.ts";

Deno.test("watch: an answer without news is not asked for again without a pause, which grows", async () => {
  const runDir = Deno.makeTempDirSync({ prefix: "flan-watch-" });
  const listener = Deno.listen({ transport: "unix", path: `${runDir}/proxy.sock` });
  let asked = 0;
  let generation = 7;
  const answering = (async () => {
    for await (const conn of listener) {
      asked++;
      await conn.read(new Uint8Array(1024));
      const answer = { ok: { generation, carrying: true, link: "flan0" } };
      await conn.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
      conn.close();
    }
  })();
  const pauses: number[] = [];
  const clock = new class extends FakeClock {
    override sleep(ms: number, signal?: AbortSignal): Promise<void> {
      pauses.push(ms);
      return super.sleep(ms, signal);
    }
  }();
  const client = new ProxyClient({ runDir, clock });
  const watch = new ProxyWatch({ client, clock, idle: () => Promise.resolve() });
  const stop = new AbortController();
  const heard: KernelEvent[] = [];
  const following = watch.follow((event) => void heard.push(event), stop.signal);
  try {
    // The first answer is news, the second none.
    for (const [pause, times] of [[1000, 3], [2000, 4], [4000, 5]] as const) {
      await clock.untilSleeping();
      assert.equal(asked, times - 1);
      await clock.advance(pause - 1);
      assert.equal(asked, times - 1, `a pause of ${pause} ms`);
      await clock.advance(1);
      while (asked < times) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.equal(heard.length, 1);
    assert.deepEqual(pauses.slice(0, 3), [1000, 2000, 4000]);
    await clock.untilSleeping();
    generation++;
    await clock.advance(8000);
    while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    stop.abort();
    await following;
    listener.close();
    await answering.catch(() => {});
    Deno.removeSync(runDir, { recursive: true });
  }
});
