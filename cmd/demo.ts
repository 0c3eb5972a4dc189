/** `flan demo`: several hosts on this machine join a network, are shown, and are taken away again. */
import { backendFor } from "../backends/registry.ts";
import { requireNetAdmin } from "../agent/capability.ts";
import { needsOf } from "../agent/firewall.ts";
import { gatewayOf } from "../agent/subnet_env.ts";
import { invalid } from "../net/errors.ts";
import { naturalOrder } from "../net/natural_order.ts";
import { type Command, integerFlag, Option, type Runner } from "./cli.ts";
import { type Matrix, type Member, reachability, startServers, throughput } from "./demo/checks.ts";
import { Lab, type LabHost, MAX_HOSTS } from "./demo/lab.ts";
import { exit } from "./exit.ts";
import { withKernel } from "./context.ts";
import { type Call, leaf } from "./leaf.ts";
import { allReached, matrixText, throughputText } from "./demo/report.ts";
import { failureOf } from "./demo/said.ts";
import { must } from "./demo/shell.ts";
import { print } from "./output.ts";
import { listenForSignals } from "./signals.ts";
import { denoFile, mainFile } from "./self.ts";

export function command(run: Runner): Command {
  return leaf(
    {
      name: "demo",
      summary: "Several hosts as network namespaces on this machine, joined, shown and taken away",
      follows: "nothing",
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
  const chosen = backendFor(context.settings.backend ?? "vxlan");
  const backend = chosen.type;
  if (backend === "alloc" || backend === "extension") {
    throw invalid("demo", `Cannot show backend ${backend}: it carries no packets by itself`);
  }
  // The hosts have this kernel; where it lacks something none of them is made.
  await withKernel(context, (kernel) => kernel.require(needsOf({ backend: chosen }, context.settings)));
  const network = context.settings.network;
  const name = `flan-demo-${Deno.pid}`;
  // From here on Ctrl-C leaves nothing behind.
  const signals = listenForSignals();
  const ended = new AbortController();
  let interrupted: number | undefined;
  signals.stopped.then((code) => interrupted = code);
  const lab = new Lab(name, Deno.makeTempDirSync({ prefix: `${name}-` }));
  const up = ["--backend", backend, ...(network === undefined ? [] : ["--network", network])];
  const work = demonstrate(lab, { hosts, up, ended: ended.signal });
  let kept = false;
  try {
    const outcome = await Promise.race([work, signals.stopped.then(() => undefined)]);
    if (outcome === undefined) return interrupted!;
    kept = flags["keep"] === true;
    if (kept) tellHow(lab, outcome.members);
    return allReached(outcome.matrix) ? exit.done : exit.no;
  } catch (error) {
    // What Ctrl-C does to the programs that we wait for is no failure.
    if (interrupted !== undefined) return interrupted;
    throw error;
  } finally {
    ended.abort();
    if (!kept) {
      progress(interrupted === undefined ? "taking everything away" : "interrupted, taking everything away");
      if (interrupted === undefined) await leaveAll(lab);
      await lab.halt(work, context.clock);
      await lab.remove();
    }
    signals.close();
  }
}

/** Makes the hosts, lets them join and shows them. */
async function demonstrate(
  lab: Lab,
  { hosts, up, ended }: { hosts: number; up: readonly string[]; ended: AbortSignal },
): Promise<{ members: readonly Member[]; matrix: Matrix }> {
  progress(`making ${hosts} hosts as network namespaces`);
  await lab.build(hosts);
  progress(`flan up ${up.join(" ")}   on every host`);
  const members = await joinAll(lab, up);
  await startServers(lab, members);
  return { members, matrix: await show(lab, members, ended) };
}

/** The first host starts the network; the others join it at once. Sorted by subnet. */
async function joinAll(lab: Lab, up: readonly string[]): Promise<Member[]> {
  const join = async (host: LabHost): Promise<Member> => {
    const joined = await lab.flan(host, ["up", "--detach", "-o", "value=subnet", ...up]);
    if (joined.code !== 0) throw failureOf(`Cannot join on ${host.namespace}`, joined);
    const subnet = joined.stdout.trim();
    const gateway = gatewayOf(subnet);
    // What Docker or a CNI plugin does by subnet.env: its bridge stands for the containers.
    const script = [
      "set -e",
      `. ${host.runDir}/subnet.env`,
      "ip link add cni0 mtu $FLANNEL_MTU type bridge",
      "ip address add $FLANNEL_SUBNET dev cni0",
      "ip link set cni0 up",
      "echo 1 >/proc/sys/net/ipv4/ip_forward",
    ];
    await must(lab.command(host, ["sh", "-c", script.join("\n")]));
    return { ...host, subnet, container: gateway.split("/")[0]! };
  };
  const [first, ...others] = lab.hosts as [LabHost, ...LabHost[]];
  const members = [await join(first), ...await Promise.all(others.map(join))];
  return members.sort((a, b) => naturalOrder(a.subnet, b.subnet));
}

/** Shows what there is and checks it; says nothing more once the demo was interrupted. */
async function show(lab: Lab, members: readonly Member[], interrupted: AbortSignal): Promise<Matrix> {
  const say = (text: string) => interrupted.aborted || print(text);
  const [first, second] = members as [Member, Member];
  // Every host learns of the others from the store; wait until the kernels have them all.
  const peers = ["--peers", String(members.length - 1)];
  await Promise.all(
    members.map((member) => lab.flan(member, ["status", "--wait", "--timeout", "20", ...peers])),
  );
  say(`\n$ flan lease list\n${(await lab.flan(first, ["lease", "list"])).stdout}`);
  say(`$ flan routes                    # on the first host\n${(await lab.flan(first, ["routes"])).stdout}`);
  const { stdout: device } = await lab.flan(first, ["lease", "get", "-o", "value=device"]);
  say(`$ flan doctor\n${(await lab.flan(first, ["doctor"])).stdout}`);
  const matrix = await reachability(lab, members, { device: device.trim() });
  say("ping round trips in milliseconds, container to container; TCP is checked with its source address");
  say(matrixText(members, matrix));
  say(
    `\nthroughput, one TCP stream of the demo's own sender: ${
      throughputText(await throughput(lab, [first, second]))
    }\n`,
  );
  return matrix;
}

async function leaveAll(lab: Lab): Promise<void> {
  await Promise.all(lab.hosts.map(async (host) => {
    const { code, stderr } = await lab.flan(host, ["down"]);
    if (code !== 0) console.error(`flan: ${host.namespace}: ${stderr.trim()}`);
  }));
}

function tellHow(lab: Lab, members: readonly Member[]): void {
  const { namespace, runDir } = members[0]!;
  const namespaces = [...lab.hosts.map((host) => host.namespace), `${namespace.replace(/-\d+$/, "")}-net`];
  // Agents write until they have ended.
  const end = 'until [ -z "$(ip netns pids $n)" ]; do ip netns pids $n | xargs -r kill; sleep 0.1; done';
  print([
    "The hosts are still there. Look at one:",
    `  ip netns exec ${namespace} ${denoFile} run -A ${mainFile} routes --run-dir ${runDir}`,
    "Take everything away:",
    `  for n in ${namespaces.join(" ")}; do ${end}; ip netns delete $n; done; rm -r ${lab.directory}`,
  ].join("\n"));
}

function progress(text: string): void {
  console.error(`flan: ${text}`);
}
