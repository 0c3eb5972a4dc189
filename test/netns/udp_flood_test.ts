/** A real proxy is given very many routes: it takes them all, and answers everybody else meanwhile. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { ProxyClient } from "../../proxy/client.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { udp } from "../lib/planes.ts";
import { wayOf } from "../lib/served_proxy.ts";

const LINK = "flan0";
/** Route changes in the first run, and how many go in one request. */
const [CHANGES, EACH] = [100_000, 1000];
/** Routes in the second run. */
const [ROUTES, BATCH] = [1_000_000, 1 << 16];

hostTest("a hundred thousand changes and a million routes keep nobody else waiting for ever", {
  lab: "million",
  hosts: 1,
  plane: udp,
}, async (hosts, t) => {
  const [{ host, agent }] = await hosts.joinAll() as [Member];
  await agent.end("SIGKILL");
  const client = new ProxyClient({ runDir: host.runDir, clock: systemClock });
  const change = (put: ReturnType<typeof wayOf>[], remove: string[] = []) =>
    client.change({ link: LINK, put, remove });

  /** Runs `work`; returns how often the proxy answered another question meanwhile. */
  async function asking(work: () => Promise<void>): Promise<number> {
    let ended = false;
    let answered = 0;
    const working = work().finally(() => ended = true);
    working.catch(() => {}); // awaited below
    while (!ended) {
      assert.ok((await client.counters())!.carrying);
      answered++;
    }
    await working;
    return answered;
  }

  await t.step("100,000 changes in requests of 1,000", async () => {
    const ways = Array.from({ length: EACH }, (_, n) => wayOf(n));
    const destinations = ways.map(([destination]) => destination);
    const answered = await asking(async () => {
      for (let done = 0; done < CHANGES; done += 2 * EACH) {
        assert.equal((await change(ways))!.routes, EACH);
        assert.equal((await change([], destinations))!.routes, 0);
      }
    });
    assert.ok(answered > 10, `${answered} answers`);
  });

  await t.step("a million routes", async () => {
    const answered = await asking(async () => {
      for (let at = 0; at < ROUTES; at += BATCH) {
        const ways = Array.from({ length: Math.min(BATCH, ROUTES - at) }, (_, n) => wayOf(at + n));
        assert.equal((await change(ways))!.routes, at + ways.length);
      }
    });
    assert.ok(answered > 10, `${answered} answers`);
    const { pid, stopped } = (await client.stop())!;
    assert.ok(stopped && pid > 1);
  });
});
