/** `flan ping` as users run it: every form of what an agent measured, and one sentence where there is nothing to show. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { type Request, serveControl } from "../../agent/control.ts";
import { type NoPing, type Ping, pingDocument } from "../../agent/probing/ping.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import type { Result } from "../../probe/packet.ts";
import type { Pair } from "../../probe/survey.ts";
import { host, lease, view } from "../lib/overlay.ts";
import { assertGolden, assertGoldenJson } from "./golden.ts";
import { type Said, Sandbox } from "./sandbox.ts";

/** How the packets of one pair got through; the address is the other host's. */
function pair(from: number, to: number, change: Partial<Result & { error: string }> = {}): Pair {
  const [here, there] = [`10.5.${from}.0`, `10.5.${to}.0`];
  const well = { sent: 5, received: 5, heard: 5, fastest: 310, average: 420.4, slowest: 1530 };
  const measured = { address: there, how: "udp", ...well, mtu: 1450, tooLarge: 0, ...change } as const;
  return { from: here, to: there, measured, arrived: measured.how === "udp" ? measured.heard : undefined };
}

const nothing = { received: 0, fastest: 0, average: 0, slowest: 0, mtu: 0 };
const unknown = (from: number, to: number): Pair => ({
  from: `10.5.${from}.0`,
  to: `10.5.${to}.0`,
  measured: undefined,
  arrived: undefined,
});

const measurable = () => {
  const seen = view([2, 3, lease(4, { node: undefined })]);
  const plan = vxlan.plan(seen, host());
  return { family: 4, isHalf: false, own: seen.own, plan, host: host(), device: "flan.1" } as const;
};

/** Between four hosts, of which one is flannel's, whatever can be the matter is. */
const everything = pingDocument([{
  ...measurable(),
  survey: {
    answers: new Map([["10.5.2.0", "measured"], ["10.5.3.0", "silent"]]),
    pairs: [
      pair(1, 2),
      pair(1, 3, { mtu: 1399, tooLarge: 1400, average: 12_345 }),
      pair(1, 4, { how: "icmp", heard: 0, average: 123_456 }),
      pair(2, 1, { received: 4, heard: 4 }),
      pair(2, 3, { ...nothing, heard: 5 }),
      pair(2, 4, { ...nothing, heard: 0, error: "ENETUNREACH" }),
      ...[[3, 1], [3, 2], [3, 4], [4, 1], [4, 2], [4, 3]].map(([from, to]) => unknown(from!, to!)),
    ],
  },
}], Date.UTC(2026, 0, 1));

/** One peer, which is well. */
const well = pingDocument([{
  ...measurable(),
  plan: vxlan.plan(view([2]), host()),
  survey: { answers: new Map([["10.5.2.0", "measured"]]), pairs: [pair(1, 2), pair(2, 1)] },
}], Date.UTC(2026, 0, 1));

const alone = pingDocument([{
  ...measurable(),
  plan: vxlan.plan(view([]), host()),
  survey: { answers: new Map(), pairs: [] },
}], Date.UTC(2026, 0, 1));

/** Runs `flan ping` beside an agent that answers so; `asked` is what it was asked. */
async function beside(
  answer: Ping | null,
  args: readonly string[],
  status: Json = null,
): Promise<Said & { asked: Request[] }> {
  using sandbox = new Sandbox();
  Deno.mkdirSync(`${sandbox.dir}/run`);
  const asked: Request[] = [];
  const stopping = new AbortController();
  const serving = serveControl(`${sandbox.dir}/run/agent.sock`, {
    clock: systemClock,
    log: silent,
    signal: stopping.signal,
    answer: (request) => {
      if (request.op === "status") return Promise.resolve(status);
      asked.push(request);
      return Promise.resolve(answer as Json);
    },
  });
  try {
    return { ...await sandbox.flan(["ping", ...args]), asked };
  } finally {
    stopping.abort();
    await serving;
  }
}

/** What stands on stdout, where nothing stands on stderr. */
async function shown(document: Ping, { args, code }: { args: readonly string[]; code: number }) {
  const said = await beside(document, args);
  assert.deepEqual([said.code, said.stderr], [code, ""], said.stdout);
  return said.stdout;
}

Deno.test("ping --all: a matrix and what is wrong below it, JSON and TSV; exit 3 where a pair fails", async () => {
  const all = (...form: string[]) => shown(everything, { args: ["--all", ...form], code: 3 });
  assertGolden("text/ping-all.txt", await all());
  assertGoldenJson("ping-all", await all("-o", "json"));
  assertGolden("tsv/v1/ping-all.tsv", await all("-o", "tsv", "--header"));
  const lines = (await all("-o", "jsonl")).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ from, to }) => `${from} ${to}`).length, 12);
});

Deno.test("ping: a host that has no way out itself says so, and blames nobody else for it alone", async () => {
  const down = {
    code: "underlay-missing",
    message: "Link eth0 of the underlay is down",
    remedy: "ip link set eth0 up",
  };
  const said = await beside(everything, ["--all"], {
    problems: [down, { ...down, code: "peer-unreachable" }],
  });
  assert.equal(
    said.stderr,
    `flan: It is this host's own: underlay-missing  ${down.message}\nhint: ${down.remedy}\n`,
  );
  const fine = await beside(well, ["10.5.2.9"], { problems: [down] });
  assert.equal(fine.stderr, "");
});

Deno.test("ping of one peer: both directions as a list; exit 0 where all is well", async () => {
  const said = await beside(well, ["10.5.2.9"]);
  assert.deepEqual([said.code, said.stderr, said.asked], [0, "", [{ op: "ping", to: "10.5.2.9" }]]);
  assertGolden("text/ping.txt", said.stdout);
  assertGoldenJson("ping", await shown(well, { args: ["10.5.2.9", "--json"], code: 0 }));
});

Deno.test("ping --all of a host that is alone says so, and is no failure", async () => {
  const said = await beside(alone, ["--all"]);
  assert.deepEqual([said.code, said.stdout, said.stderr], [0, "", "no peers\n"]);
  const json = JSON.parse(await shown(alone, { args: ["--all", "--json"], code: 0 }));
  assert.deepEqual([json.ok, json.items, json.hosts.length], [true, [], 1]);
});

const refusals: readonly (readonly [NoPing | null, readonly string[], number, string])[] = [
  [
    "unknown-peer",
    ["10.9.9.9"],
    3,
    'Cannot ping "10.9.9.9": no peer is called so\nhint: flan routes lists them',
  ],
  [
    "this-host",
    ["10.5.1.7"],
    3,
    'Cannot ping "10.5.1.7": it is this host\nhint: flan routes lists the peers',
  ],
  ["no-lease", ["--all"], 1, "Cannot ping: this host has no lease\nhint: flan status"],
  [
    "not-carried",
    ["--all"],
    1,
    "Cannot ping: this network's packets are carried by others than flan\nhint: ping a container of that host",
  ],
  ["too-many", ["--all"], 1, "Cannot ping all: there are more than 100 hosts\nhint: name one of them"],
  [
    "off",
    ["--all"],
    1,
    "Cannot ping: the agent does not measure\nhint: flan status says whether --probe-port can be used; 0 turns it off",
  ],
  [
    null,
    ["--all"],
    3,
    "Cannot ping: the agent in <dir>/run is still joining\nhint: flan status --wait waits for it",
  ],
];

for (const [none, args, code, sentence] of refusals) {
  Deno.test(`ping: ${none ?? "an agent that joins"} is one sentence, exit ${code}`, async () => {
    const said = await beside(none === null ? null : { none }, args);
    assert.deepEqual([said.code, said.stdout], [code, ""]);
    assert.equal(said.stderr.replace(/\/[^ ]*\/run /, "<dir>/run "), `flan: ${sentence}\n`);
  });
}

Deno.test("ping: nobody named, both named, and no agent", async () => {
  using sandbox = new Sandbox();
  const choose = (given: string) =>
    `flan: Cannot choose whom to ping: one peer or --all is needed, and ${given} given\nhint: flan ping --all\n`;
  for (const [given, args] of [["neither is", []], ["both are", ["10.5.2.0/24", "--all"]]] as const) {
    const said = await sandbox.flan(["ping", ...args]);
    assert.deepEqual([said.code, said.stdout, said.stderr], [2, "", choose(given)]);
  }
  const { code, stderr } = await sandbox.flan(["ping", "--all"]);
  assert.equal(code, 3);
  assert.match(
    stderr,
    /^flan: Cannot ping: the agent in \S+ does not run\nhint: this host has joined no network; flan up --detach joins the one in --store, or starts one there\n$/,
  );
});
