/** `flan demo`: several hosts on this machine join a network, are shown, and are taken away again. */
import { requireNetAdmin } from "../agent/capability.ts";
import { gatewayOf } from "../agent/subnet_env.ts";
import { FlanError } from "../net/errors.ts";
import { type AnyCommand, integerFlag, Option, type Runner } from "./cli.ts";
import { type Matrix, type Member, reachability, startServers, throughput } from "./demo/checks.ts";
import { Lab, type LabHost, MAX_HOSTS } from "./demo/lab.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { print, table } from "./output.ts";
import { mainFile } from "./self.ts";

export function command(run: Runner): AnyCommand {
  return leaf(
    {
      name: "demo",
      summary: "Several hosts as network namespaces on this machine, joined, shown and taken away",
      joins: true,
      anywhere: true,
      options: [
        new Option("--hosts <number>", `2 to ${MAX_HOSTS} hosts (default 3)`),
        new Option("--keep", "leave the hosts running, and say how to look at them"),
      ],
      settings: ["backend", "network"],
    },
    run,
    runDemo,
  );
}

async function runDemo({ context, flags }: Call): Promise<number> {
  const hosts = integerFlag("--hosts", String(flags["hosts"] ?? 3), { min: 2, max: MAX_HOSTS });
  requireNetAdmin("make network namespaces");
  const backend = context.settings.backend ?? "vxlan";
  const network = context.settings.network;
  progress(`making ${hosts} hosts as network namespaces`);
  const lab = await Lab.create({ name: `flan-demo-${Deno.pid}`, hosts });
  const interrupted = removeOnInterrupt(lab);
  let kept = false;
  try {
    const up = ["--backend", backend, ...(network === undefined ? [] : ["--network", network])];
    progress(`flan up ${up.join(" ")}   on every host`);
    const members = await joinAll(lab, up);
    await startServers(lab, members);
    const matrix = await show(lab, members);
    kept = flags["keep"] === true;
    if (kept) tellHow(lab, members);
    return allReached(matrix) ? exit.done : exit.no;
  } finally {
    interrupted.close();
    if (!kept) {
      progress("taking everything away");
      await leaveAll(lab);
      await lab.remove();
    }
  }
}

/** The first host starts the network; the others join it at once. */
async function joinAll(lab: Lab, up: readonly string[]): Promise<Member[]> {
  const join = async (host: LabHost): Promise<Member> => {
    const { code, stdout, stderr } = await lab.flan(host, ["up", "--detach", "-o", "value=subnet", ...up]);
    if (code !== 0) {
      throw new FlanError(`Cannot join on ${host.namespace}: ${stderr.trim()}`, {
        op: "demo",
        code: "failed",
      });
    }
    const subnet = stdout.trim();
    const gateway = gatewayOf(subnet);
    // The bridge that Docker or a CNI plugin would make stands for the containers.
    await lab.on(host, [
      "sh",
      "-c",
      `ip link add cni0 type bridge && ip address add ${gateway} dev cni0 && ip link set cni0 up`,
    ]);
    return { ...host, subnet, container: gateway.split("/")[0]! };
  };
  const [first, ...others] = lab.hosts as [LabHost, ...LabHost[]];
  return [await join(first), ...await Promise.all(others.map(join))];
}

async function show(lab: Lab, members: readonly Member[]): Promise<Matrix> {
  const first = members[0]!;
  // What the last host has written reaches the others by the store; wait until the first agrees.
  await lab.flan(first, ["status", "--wait", "--timeout", "10"]);
  print(`\n$ flan lease list\n${(await lab.flan(first, ["lease", "list"])).stdout.trimEnd()}`);
  print(
    `\n$ flan routes                    # on the first host\n${
      (await lab.flan(first, ["routes"])).stdout.trimEnd()
    }`,
  );
  const matrix = await reachability(lab, members);
  const names = members.map((member) => member.subnet);
  const cells = matrix.map((
    row,
    i,
  ) => [
    names[i]!,
    ...row.map((cell) =>
      cell === undefined
        ? "-"
        : cell.rtt === undefined
        ? "LOST"
        : cell.tcp
        ? `${cell.rtt}ms`
        : `${cell.rtt}ms NO-TCP`
    ),
  ]);
  print(
    `\nreachability, container to container (ping round trip; TCP checked with its source address)\n${
      table(["FROM \\ TO", ...names], cells)
    }`,
  );
  const { overlay, underlay } = await throughput(lab, [members[0]!, members[1]!]);
  print(
    `\nthroughput, one TCP stream: ${gigabits(overlay)} Gbit/s through the overlay, ${
      gigabits(underlay)
    } Gbit/s on the bare underlay (${Math.round(100 * overlay / underlay)} %)\n`,
  );
  return matrix;
}

function gigabits(bytesPerSecond: number): string {
  return (bytesPerSecond * 8 / 1e9).toFixed(1);
}

function allReached(matrix: Matrix): boolean {
  return matrix.every((row) =>
    row.every((cell) => cell === undefined || (cell.rtt !== undefined && cell.tcp))
  );
}

async function leaveAll(lab: Lab): Promise<void> {
  await Promise.all(lab.hosts.map(async (host) => {
    const { code, stderr } = await lab.flan(host, ["down"]);
    if (code !== 0) console.error(`flan: ${host.namespace}: ${stderr.trim()}`);
  }));
}

/** Ctrl-C leaves nothing behind. */
function removeOnInterrupt(lab: Lab): { close(): void } {
  const signals = { SIGINT: exit.interrupted, SIGTERM: exit.terminated } as const;
  const handlers = Object.entries(signals).map(([name, code]) => {
    const handler = () => void lab.remove().finally(() => Deno.exit(code));
    Deno.addSignalListener(name as Deno.Signal, handler);
    return () => Deno.removeSignalListener(name as Deno.Signal, handler);
  });
  return { close: () => handlers.forEach((remove) => remove()) };
}

function tellHow(lab: Lab, members: readonly Member[]): void {
  const { namespace, runDir } = members[0]!;
  const namespaces = [...lab.hosts.map((host) => host.namespace), `${namespace.replace(/-\d+$/, "")}-net`];
  print([
    "The hosts are still there. Look at one:",
    `  ip netns exec ${namespace} ${Deno.execPath()} run -A ${mainFile} routes --run-dir ${runDir}`,
    "Take everything away:",
    `  for n in ${
      namespaces.join(" ")
    }; do ip netns pids $n | xargs -r kill; ip netns delete $n; done; rm -r ${lab.directory}`,
  ].join("\n"));
}

function progress(text: string): void {
  console.error(`flan: ${text}`);
}
