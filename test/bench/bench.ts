/**
 * `deno task bench [--json FILE]`: the figures of flan on this machine, as a table, and as JSON where asked.
 * It asserts nothing: a slow machine is not a defect.
 */
import { Lab } from "../../cmd/demo/lab.ts";
import { print, table } from "../../cmd/output.ts";
import { converge, type Converged } from "./converge.ts";
import { etcd, type EtcdFigures } from "./etcd.ts";
import { latency } from "./latency.ts";
import { startup } from "./startup.ts";
import { throughput } from "./throughput.ts";

const PEERS = [100, 1000, 10_000];
const ROUNDS = 3;
/** Leases in a real etcd. */
const LEASES = [100, 10_000];

/** The round with the middle time, so that one hiccup of the machine is not the figure. */
async function medianOf(work: () => Promise<Converged>): Promise<Converged> {
  const results: Converged[] = [];
  for (let i = 0; i < ROUNDS; i++) results.push(await work());
  return results.sort((a, b) => a.real - b.real)[ROUNDS >> 1]!;
}

async function measureConvergence(): Promise<Converged[]> {
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: 1 });
  try {
    const results: Converged[] = [];
    for (const peers of PEERS) results.push(await medianOf(() => converge(lab, lab.hosts[0]!, peers)));
    return results;
  } finally {
    await lab.remove();
  }
}

async function measureNetwork() {
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: 3 });
  try {
    for (const host of lab.hosts) {
      const { code, stderr } = await lab.flan(host, ["up", "--detach"]);
      if (code !== 0) throw new Error(stderr);
    }
    const [from, to] = lab.hosts as [typeof lab.hosts[0], typeof lab.hosts[0]];
    const overlay = (await lab.flan(to!, ["lease", "get", "-o", "value=subnet"])).stdout.trim().replace(
      /\/\d+$/,
      "",
    );
    return {
      latency: await latency(lab, 50),
      throughput: await throughput(lab, { from: from!, to: to!, overlay }),
      startup: [
        await startup(lab, ["--help"]),
        await startup(lab, ["routes"]),
        await startup(lab, ["lease", "list"]),
      ],
    };
  } finally {
    await lab.remove();
  }
}

const load = Deno.loadavg()[0]!.toFixed(1);
const converged = await measureConvergence();
const network = await measureNetwork();
const etcds: EtcdFigures[] = [];
for (const leases of LEASES) etcds.push(await etcd(leases));

const fixed = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(" ");
print(`machine: ${navigator.hardwareConcurrency} cores, load ${load} at the start\n`);
print(table(
  ["PEERS", "CONVERGED", "USER", "SYSTEM", "AGENT"],
  converged.map((
    one,
  ) => [
    String(one.peers),
    `${one.real.toFixed(2)} s`,
    `${one.user.toFixed(2)} s`,
    `${one.system.toFixed(2)} s`,
    `${one.rss} MB`,
  ]),
));
const { latency: lease, throughput: tcp, startup: starts } = network;
print(
  `\nlease to route on ${lease.hosts} hosts: median ${lease.median} ms, 90 % ${lease.p90} ms, worst ${lease.worst} ms of ${lease.rounds}`,
);
print(
  `\nTCP Gbit/s, alternating: overlay ${fixed(tcp.overlay)}, underlay ${fixed(tcp.underlay)}, ratio ${
    tcp.ratio.toFixed(2)
  }\n`,
);
print(
  table(
    ["COMMAND", "BEST", "MEDIAN"],
    starts.map((one) => [one.command, `${one.best} ms`, `${one.median} ms`]),
  ),
);

print(`\non etcd, with ${etcds[0]!.latency.hosts} agents`);
print(table(
  [
    "LEASES",
    "LIST+PLAN",
    "FIRST",
    "READ",
    "REQUESTS",
    "AGENT",
    "CHANGE",
    "90 %",
    "WORST",
    "REQUESTS A CHANGE",
  ],
  etcds.map((one) => [
    String(one.leases),
    `${one.list.median} ms`,
    `${one.list.first} ms`,
    `${one.list.read} ms`,
    `${one.list.requests}, ${one.list.megabytes} MB`,
    `${one.rss} MB`,
    `${one.latency.median} ms`,
    `${one.latency.p90} ms`,
    `${one.latency.worst} ms`,
    String(one.requests),
  ]),
));

const at = Deno.args.indexOf("--json");
if (at >= 0) {
  Deno.writeTextFileSync(
    Deno.args[at + 1]!,
    JSON.stringify({ schema: "flan.bench/v1", load, converged, ...network, etcd: etcds }, null, 2),
  );
}
