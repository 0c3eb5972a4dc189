/** Time from the start of `flan up` to a converged kernel, with many peers in the store; and what the agent then weighs. */
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { must } from "../../cmd/demo/shell.ts";

export interface Converged {
  readonly peers: number;
  /** Seconds from the start of the process to its exit (`up --once`). */
  readonly real: number;
  readonly user: number;
  /** Seconds in the kernel: nearly all of it is the kernel doing what flan asks for. */
  readonly system: number;
  /** Resident memory of a running agent, MB. */
  readonly rss: number;
}

/** What has room for all of them. */
export const config = { Network: "10.0.0.0/8", SubnetLen: 24, Backend: { Type: "vxlan" } };

/** The lease of a host that exists in the store only; `i` is below 60,000. */
export function absentHost(i: number) {
  const hex = (n: number) => n.toString(16).padStart(2, "0");
  const [high, low] = [(i >> 8) + 1, i & 255];
  const value = {
    PublicIP: `198.18.${high}.${low || 256 - 1}`,
    PublicIPv6: null,
    BackendType: "vxlan",
    BackendData: { VNI: 1, VtepMAC: `02:00:00:01:${hex(high)}:${hex(low)}` },
  };
  return { key: `10.${high}.${low}.0-24`, node: i.toString(16).padStart(16, "0"), value };
}

function writeStore(path: string, peers: number): void {
  const expires = Math.floor(Date.now() / 1000) + 86_400;
  const leases = Array.from({ length: peers }, (_, i) => {
    const { key, ...record } = absentHost(i);
    return [key, { revision: 2 + i, expires, ...record }] as const;
  });
  Deno.writeTextFileSync(
    path,
    JSON.stringify({
      schema: "flan.network/v1",
      revision: peers + 2,
      config: { revision: 1, value: config },
      leases: Object.fromEntries(leases),
      past: {},
    }),
  );
}

export async function converge(lab: Lab, host: LabHost, peers: number): Promise<Converged> {
  const file = `${lab.directory}/many-${peers}.json`;
  writeStore(file, peers);
  const store = ["--store", `file:${file}`];
  const timed = [
    "bash",
    "-c",
    'TIMEFORMAT="%R %U %S"; time "$0" "$@" >/dev/null',
    ...flanCommand(["up", "--once", "--quiet", ...store]),
  ];
  const { stderr, code } = await lab.on(host, timed);
  if (code !== 0) throw new Error(stderr);
  const [real, user, system] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number) as [
    number,
    number,
    number,
  ];
  const routes =
    (await must(["ip", "-netns", host.namespace, "route", "show", "proto", "113"])).split("\n").filter(
      Boolean,
    ).length;
  if (routes !== peers) throw new Error(`${routes} routes for ${peers} peers`);
  const { code: joined, stderr: why } = await lab.flan(host, ["up", "--detach", ...store]);
  if (joined !== 0) throw new Error(why);
  const rss = memoryOf(host);
  await lab.flan(host, ["down"]);
  return { peers, real, user, system, rss };
}

/** Megabytes that the agent of a host has resident. */
export function memoryOf(host: LabHost): number {
  const pid = Deno.readTextFileSync(`${host.runDir}/agent.lock`).trim();
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
  return Math.round(kilobytes / 1024);
}
