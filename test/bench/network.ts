/** The part `network`: three hosts on vxlan, from a lease to a route, what TCP gets, and how soon commands end. */
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { print, table } from "../../cmd/output.ts";
import { Installed } from "../lib/installed.ts";
import { type Latency, latency } from "./latency.ts";
import { cells, columns, type Startup, startup } from "./startup.ts";
import { type Throughput, throughput } from "./throughput.ts";

export interface Network {
  readonly latency: Latency;
  readonly throughput: Throughput;
  readonly startup: readonly Startup[];
}

/** Measures and prints. */
export async function measureNetwork(): Promise<Network> {
  using installed = await Installed.create();
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: 3 });
  try {
    for (const host of lab.hosts) {
      const { code, stderr } = await lab.flan(host, ["up", "--detach"]);
      if (code !== 0) throw new Error(stderr);
    }
    const [from, to] = lab.hosts as [LabHost, LabHost];
    const subnet = (await lab.flan(to, ["lease", "get", "-o", "value=subnet"])).stdout.trim();
    const found: Network = {
      latency: await latency(lab, 50),
      throughput: await throughput(lab, { from, to, overlay: subnet.replace(/\/\d+$/, "") }),
      startup: [
        await startup(lab, ["--help"], { installed }),
        await startup(lab, ["routes"], { installed }),
        await startup(lab, ["lease", "list"], { installed }),
      ],
    };
    report(found);
    return found;
  } finally {
    await lab.remove();
  }
}

function report({ latency: lease, throughput: tcp, startup: starts }: Network): void {
  const fixed = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(" ");
  print(
    `\nlease to route on ${lease.hosts} hosts: median ${lease.median} ms, 90 % ${lease.p90} ms, worst ${lease.worst} ms of ${lease.rounds}`,
  );
  const shown = `overlay ${fixed(tcp.overlay)}, underlay ${fixed(tcp.underlay)}`;
  print(`\nTCP Gbit/s, alternating: ${shown}, ratio ${tcp.ratio.toFixed(2)}\n`);
  print(
    table(
      ["COMMAND", ...columns],
      starts.map((one) => [one.command, ...cells(one)]),
    ),
  );
}
