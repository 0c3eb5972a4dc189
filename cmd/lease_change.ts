/** `flan lease acquire`, `renew` and `release`: what a host does with its own lease. */
import { describeHost, observeHost } from "../agent/host.ts";
import { ensureHostState, forgetLease, readHostState, rememberSubnet } from "../agent/host_state.ts";
import { claimOf } from "../agent/keeping/keeper.ts";
import { readJoined } from "../agent/joined.ts";
import { ownLease } from "../agent/status.ts";
import type { Lease } from "../lease/lease.ts";
import { acquire, prolong } from "../lease/manager.ts";
import { release } from "../lease/release.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { orAgentsLease } from "./agent_knows.ts";
import { askStatus } from "./ask_status.ts";
import { display } from "./config.ts";
import { type Context, readNetwork, type StoredNetwork, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { leaseNow, printChange, requireChangeField, stays } from "./lease_changed.ts";
import { leasesOf, ownLeaseIn, subnetOf } from "./lease_items.ts";
import type { Call } from "./leaf.ts";
import { noLease, printOwnLease, requireField } from "./own_lease.ts";
import { optionalSubnet, subnetArgument } from "./subnet_argument.ts";

export async function acquireLease({ context, format, header, flags }: Call): Promise<number> {
  requireField(format);
  const { settings, clock } = context;
  const subnet = optionalSubnet("--subnet", flags["subnet"]);
  const subnet6 = optionalSubnet("--subnet6", flags["subnet6"]);
  const { node, previous, previous6 } = await ensureHostState(settings.stateDir, clock);
  await withStore(context, (store) =>
    withKernel(context, async (kernel) => {
      const network = await orAgentsLease(context, () => readNetwork(store, { expiries: true }), subnet);
      if ("agents" in network) return printOwnLease(format, network.agents, header);
      const own = ownLeaseIn(network, node);
      // What the agent announces, and for how long, is the agent's to say.
      if (own !== undefined && await agentRuns(context)) {
        if (subnet !== undefined && subnet !== own.subnet) throw otherHeld(subnet, own);
        if (subnet6 !== undefined && subnet6 !== own.subnet6) throw otherHeld(subnet6, own);
        const host = await observeHost(kernel, { ...network, options: settings, clock });
        return printOwnLease(format, ownLease({ lease: own, ...network, host }), header);
      }
      const found = await describeHost(kernel, { ...network, node, options: settings, clock });
      const host = { ...found, said: await startedUp(network, { kernel, clock }) };
      const claim = {
        ...claimOf(host, { ...network, ttl: settings.leaseTtl }),
        previous,
        previous6,
        wish: subnet,
        wish6: subnet6,
      };
      const lease = await acquire(store, claim, context);
      await rememberSubnet(settings.stateDir, { ...lease, store: store.url });
      printOwnLease(format, ownLease({ lease, ...network, host }), header);
    }));
  return exit.done;
}

/** What the lease has to announce is what the network's startup command says now, on a host that may run it. */
async function startedUp(
  { backend, config }: StoredNetwork,
  { kernel, clock }: { kernel: Kernel; clock: Clock },
): Promise<string> {
  const command = backend.startup(config);
  if (command === "") return "";
  await kernel.require(["hooks"]);
  const { runStartup } = await import("../agent/wire.ts");
  return await runStartup(command, clock);
}

/** Prolongs the lease as it is: what it announces changes where the host joins, or by its agent. */
export async function renewLease({ context, format, header, args: [subnet] }: Call): Promise<number> {
  requireField(format);
  const { settings } = context;
  const wanted = subnet === undefined ? undefined : subnetArgument("subnet", subnet);
  const node = readHostState(settings.stateDir)?.node;
  await withStore(context, async (store) => {
    const network = await readNetwork(store);
    const own = requireOwn(network, { wanted, node, store: settings.store, verb: "renew" });
    const ttl = await ttlFor(own, context);
    if (own.expires === undefined && context.sources.leaseTtl === "flag") {
      console.error(`flan: ${own.subnet} is a reservation and has no end, so --lease-ttl changes nothing`);
    }
    const lease = await prolong(store, own, { node: node!, ttl });
    await withKernel(context, async (kernel) => {
      const host = await observeHost(kernel, { ...network, options: settings, clock: context.clock });
      printOwnLease(format, ownLease({ lease, ...network, host }), header);
    });
  });
  return exit.done;
}

export async function releaseLease({ context, format, args: [subnet] }: Call): Promise<number> {
  requireChangeField(format);
  const { settings } = context;
  const wanted = subnet === undefined ? undefined : subnetArgument("subnet", subnet);
  const node = readHostState(settings.stateDir)?.node;
  return await withStore(context, async (store) => {
    const network = await readNetwork(store);
    const own = requireOwn(network, { wanted, node, store: settings.store, verb: "release" });
    if (await agentRuns(context)) {
      throw invalid(
        "lease.release",
        `Cannot release ${own.subnet}: this host's agent uses it`,
        "run flan down",
      );
    }
    const [released] = await release(store, { subnet: own.subnet }, context);
    await forgetLease(settings.stateDir);
    const { subnet } = own;
    if (released === undefined) throw gone(subnet, { store: settings.store, verb: "release" });
    const { reservation } = released;
    printChange(format, {
      subnet,
      change: "released",
      text: `released ${subnet}${stays(released, node)}`,
      ...(reservation && { lease: leaseNow(reservation, { ...network, self: node }) }),
    });
    return exit.done;
  });
}

interface Wanted {
  /** The subnet that was named, if one was. */
  readonly wanted: string | undefined;
  readonly node: string | undefined;
  readonly store: string;
  readonly verb: "renew" | "release";
}

/** This host's lease, which must be the one that was named. Throws `no` or `failed`. */
function requireOwn(network: StoredNetwork, { wanted, node, store, verb }: Wanted): Lease {
  const own = ownLeaseIn(network, node);
  if (wanted === undefined) {
    if (own === undefined) throw noLease(store);
    return own;
  }
  const found = leasesOf(network, node).find((item) => subnetOf(item) === wanted);
  if (own !== undefined && found?.lease === own) return own;
  if (found === undefined) throw gone(wanted, { store, verb });
  const [why, hint] = found.state === "reserved"
    ? ["it is a reservation that nobody has claimed", `flan lease unreserve ${wanted}`]
    : found.lease === undefined
    ? [`it is refused (${found.refusal.reason})`, "flan lease check"]
    : [
      found.lease.node === undefined
        ? `it belongs to the flannel host at ${found.lease.publicIp}`
        : `it belongs to node ${found.lease.node} at ${found.lease.publicIp}`,
      `flan lease revoke ${wanted} takes it away`,
    ];
  throw new FlanError(`Cannot ${verb} ${wanted}: ${why}`, {
    op: `lease.${verb}`,
    code: "failed",
    hint: verb === "release" ? hint : undefined,
  });
}

/**
 * For how many seconds this host's lease is renewed. Throws `invalid` for another time than that of its agent, which
 * renews in time for its own: with a shorter one the lease would end meanwhile.
 */
async function ttlFor({ subnet }: Lease, context: Context): Promise<number> {
  const { leaseTtl, runDir } = context.settings;
  const [mine, theirs] = [display("leaseTtl", leaseTtl), readJoined(runDir)?.settings["leaseTtl"]];
  if (theirs === undefined || theirs === mine || !await agentRuns(context)) return leaseTtl;
  throw invalid(
    "lease.renew",
    `Cannot renew ${subnet} for ${mine}: this host's agent keeps it for ${theirs}`,
    "leave --lease-ttl out, or run flan down and flan up with it",
  );
}

/** For a subnet that nobody holds, or that was given back or taken meanwhile. */
function gone(subnet: string, { store, verb }: { store: string; verb: string }): FlanError {
  const message = `Cannot ${verb} ${subnet}: nobody has that lease in ${store}`;
  return new FlanError(message, { op: `lease.${verb}`, code: "no" });
}

/** Whether this host's agent runs, or is just joining. */
async function agentRuns(context: Context): Promise<boolean> {
  return await askStatus(context) !== undefined;
}

function otherHeld(wish: string, { subnet }: Lease): FlanError {
  return invalid(
    "lease.acquire",
    `Cannot lease ${wish}: this host's agent uses ${subnet}`,
    "leave the network first: flan down",
  );
}
