/** What an agent knows of its network, as other processes learn of it. */
import assert from "node:assert/strict";
import { serveControl } from "../../agent/control.ts";
import {
  askLingering,
  askNetwork,
  knownDocument,
  type KnownNetwork,
  lingeringDocument,
} from "../../agent/known_network.ts";
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
function learned(answer: Json): Promise<{ known: KnownNetwork | undefined; log: KeptLog }> {
  return learnedBy(askNetwork, { op: "network", answer });
}

async function learnedBy<T>(
  ask: (path: string, tools: { clock: FakeClock; log: KeptLog }) => Promise<T>,
  { op: asked, answer }: { op: string; answer: Json },
): Promise<{ known: T; log: KeptLog }> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-known-" });
  const stopping = new AbortController();
  const [clock, log] = [new FakeClock(), new KeptLog()];
  const path = `${dir}/agent.sock`;
  const served = serveControl(path, {
    clock,
    log: silent,
    signal: stopping.signal,
    answer: ({ op }) => op === asked ? Promise.resolve(answer) : Promise.reject(new Error(op)),
  });
  try {
    return { known: await ask(path, { clock, log }), log };
  } finally {
    stopping.abort();
    await served;
    Deno.removeSync(dir, { recursive: true });
  }
}

const network: KnownNetwork = {
  store: "file:/a.json",
  heard: 7000,
  snapshot: { revision: 5, config: { value: { Network: "10.5.0.0/16" }, revision: 1 }, records, past: [] },
  lingering: records.slice(1),
};

Deno.test("known: the network comes over as it is: config, reservations, and ends that only the store knew", async () => {
  const emptied = { ...network, heard: undefined, snapshot: { ...network.snapshot, config: undefined } };
  for (const one of [network, emptied]) {
    const { known, log } = await learned(knownDocument(one));
    assert.deepEqual(known, one);
    assert.deepEqual(log.lines, []);
  }
});

Deno.test("known: an agent that joins knows nothing yet, and where none runs nobody does", async () => {
  const { known, log } = await learned(null);
  assert.deepEqual([known, log.lines], [undefined, []]);
  assert.equal(await askNetwork("/nowhere/agent.sock", { clock: new FakeClock(), log }), undefined);
  assert.deepEqual(log.lines, []);
});

Deno.test("known: an answer that is none is told, and judged as if no agent ran", async () => {
  const whole = knownDocument(network) as Record<string, Json>;
  const bad = [{ key: 1 }, { ...records[0]!, node: 7 } as unknown as Json];
  for (const answer of ["x", {}, { ...whole, records: bad }, { ...whole, lingering: bad }]) {
    const { known, log } = await learned(answer);
    assert.equal(known, undefined);
    assert.equal(log.lines.length, 1);
    assert.match(JSON.stringify(log.lines[0]), /What the agent knows is not known here: Cannot use/);
  }
});

Deno.test("known: whom the agent keeps comes over alone; nobody, where it cannot tell", async () => {
  const state = { lingering: records } as unknown as Parameters<typeof lingeringDocument>[0]["state"];
  const { known, log } = await learnedBy(askLingering, {
    op: "lingering",
    answer: lingeringDocument({ state }),
  });
  assert.deepEqual([known, log.lines], [records, []]);
  for (const [answer, told] of [[null, 0], [{ lingering: 1 }, 1]] as const) {
    const { known, log } = await learnedBy(askLingering, { op: "lingering", answer });
    assert.deepEqual([known, log.lines.length], [[], told]);
  }
});
