/** Whom an agent keeps, as other processes learn of it. */
import assert from "node:assert/strict";
import { serveControl } from "../../agent/control.ts";
import { askLingering, lingeringDocument } from "../../agent/lingering_peers.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

const value = { PublicIP: "192.0.2.2", BackendType: "vxlan" };
const records: readonly LeaseRecord[] = [
  { key: "10.5.2.0-24", value, node: "a", expires: 1000, revision: 2 },
  { key: "10.5.3.0-24", value, node: undefined, expires: Infinity, revision: 3 },
  { key: "10.5.4.0-24", value, node: "c", expires: undefined, revision: 4 },
];

/** What is learned of an agent that answers so. */
async function learned(answer: Json): Promise<{ records: readonly LeaseRecord[]; log: KeptLog }> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-lingering-" });
  const stopping = new AbortController();
  const [clock, log] = [new FakeClock(), new KeptLog()];
  const path = `${dir}/agent.sock`;
  const served = serveControl(path, {
    clock,
    log: silent,
    signal: stopping.signal,
    answer: ({ op }) => op === "lingering" ? Promise.resolve(answer) : Promise.reject(new Error(op)),
  });
  try {
    return { records: await askLingering(path, { clock, log }), log };
  } finally {
    stopping.abort();
    await served;
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("lingering: the records come over as they are: reservations, and ends that only the store knew", async () => {
  const { records: came, log } = await learned(lingeringDocument(records));
  assert.deepEqual(came, records);
  assert.deepEqual(log.lines, []);
});

Deno.test("lingering: an agent that joins keeps nobody, and where none runs nobody is kept", async () => {
  const { records: came, log } = await learned(null);
  assert.deepEqual([came, log.lines], [[], []]);
  assert.deepEqual(await askLingering("/nowhere/agent.sock", { clock: new FakeClock(), log }), []);
  assert.deepEqual(log.lines, []);
});

Deno.test("lingering: an answer that is none is told, and judged as if no agent ran", async () => {
  for (const answer of ["x", {}, [{ key: 1 }], [{ ...records[0]!, node: 7 } as unknown as Json]]) {
    const { records: came, log } = await learned(answer);
    assert.deepEqual(came, []);
    assert.equal(log.lines.length, 1);
    assert.match(JSON.stringify(log.lines[0]), /Peers whose lease has expired are not known: Cannot use/);
  }
});
