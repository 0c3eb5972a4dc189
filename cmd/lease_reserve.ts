/** `flan lease reserve` and `unreserve`. */
import { readHostState } from "../agent/host_state.ts";
import { isNobody } from "../lease/decode.ts";
import type { Lease } from "../lease/lease.ts";
import { reservedAddress, reservedFor } from "../lease/reservation.ts";
import { type Outcome, reserve, unreserve } from "../lease/reserve.ts";
import { invalid, messageOf } from "../net/errors.ts";
import { contains, formatCidr, parseIp } from "../net/ip.ts";
import { isPrintable, printable, quoted } from "../net/text.ts";
import { readNetwork, type StoredNetwork, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { type Changed, leaseNow, printChange, requireChangeField } from "./lease_changed.ts";
import { leasesOf } from "./lease_items.ts";
import type { Call } from "./leaf.ts";
import { hostAddress } from "./setting_types.ts";
import { optionalSubnet, subnetArgument } from "./subnet_argument.ts";

/** As in a lease (`lease/decode.ts`). */
const MAX_NODE = 128;

export async function reserveSubnet({ context, format, flags, args: [text = ""] }: Call): Promise<number> {
  requireChangeField(format);
  const subnet = subnetArgument("subnet", text);
  const subnet6 = optionalSubnet("--subnet6", flags["subnet6"]);
  const node = nodeOf(flags["for"] as string | undefined);
  const publicIp = addressOf(flags["forIp"] as string | undefined);
  const self = readHostState(context.settings.stateDir)?.node;
  await withStore(context, async (store) => {
    const network = await readNetwork(store);
    if (publicIp !== undefined && contains(network.config.network, parseIp(publicIp))) {
      const whole = formatCidr(network.config.network);
      throw invalid(
        "lease.reserve",
        `Cannot use --for-ip ${publicIp}: it is inside the network ${whole} itself`,
      );
    }
    const outcome = await reserve(store, { subnet, subnet6, node, publicIp, self, clock: context.clock });
    printChange(format, shown(subnet, { outcome, network, self, text: reservedText(subnet, outcome) }));
    if (outcome.how === "reserved" && (node === undefined || node !== self)) {
      note(network, { node, publicIp });
    }
  });
  return exit.done;
}

export async function unreserveSubnet({ context, format, args: [text = ""] }: Call): Promise<number> {
  requireChangeField(format);
  const subnet = subnetArgument("subnet", text);
  const self = readHostState(context.settings.stateDir)?.node;
  await withStore(context, async (store) => {
    const network = await readNetwork(store);
    const { settings, clock } = context;
    const outcome = await unreserve(store, { subnet, ttl: settings.leaseTtl, clock });
    printChange(format, shown(subnet, { outcome, network, self, text: unreservedText(subnet, outcome) }));
  });
  return exit.done;
}

function reservedText(subnet: string, { how, lease }: Outcome): string {
  const whom = lease === undefined ? "" : holder(lease);
  if (how === "same") return `${subnet} is reserved already ${whom}`;
  return how === "kept" ? `made the lease ${subnet} a reservation ${whom}` : `reserved ${subnet} ${whom}`;
}

function unreservedText(subnet: string, { how, lease }: Outcome): string {
  if (how === "removed") return `${subnet} is free again`;
  if (how === "leased") return `${subnet} is a lease like others now, held by ${lease?.publicIp}`;
  return lease === undefined ? `nothing is reserved at ${subnet}` : `${subnet} is a lease and no reservation`;
}

/** Whom the reservation is for, claimed or not. */
function holder(lease: Lease): string {
  const whom = reservedFor(lease);
  if (lease.node === undefined || isNobody(lease.publicIp)) return whom;
  return reservedAddress(lease) === undefined
    ? `${whom} at ${lease.publicIp}`
    : `${whom}, held by node ${lease.node}`;
}

interface Shown {
  readonly outcome: Outcome;
  readonly network: StoredNetwork;
  readonly self: string | undefined;
  readonly text: string;
}

function shown(subnet: string, { outcome: { how, lease }, network, self, text }: Shown): Changed {
  const changed = { subnet, change: how, text };
  return lease === undefined ? changed : { ...changed, lease: leaseNow(lease, { ...network, self }) };
}

/** Says what a person will wonder about: a name that nobody has, and a host that holds another subnet. */
function note(
  network: StoredNetwork,
  { node, publicIp }: { node: string | undefined; publicIp: string | undefined },
): void {
  if (node === undefined && publicIp === undefined) return;
  const isTheirs = (one: { node?: string | undefined }) => node !== undefined && one.node === node;
  const running = leasesOf(network, node).find(({ lease, state }) =>
    state !== "reserved" && lease !== undefined && (isTheirs(lease) || lease.publicIp === publicIp)
  );
  const { records, past } = network.snapshot;
  if (running !== undefined) {
    console.error(
      `flan: It holds ${
        running.lease!.subnet
      } now, and takes the reservation when it acquires anew (flan down, flan up)`,
    );
  } else if (node !== undefined && !records.some(isTheirs) && !past.some(isTheirs)) {
    console.error(
      `flan: No lease of node ${printable(node, 60)} is known here: is that the name in its host.json?`,
    );
  }
}

function nodeOf(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 0 && text.length <= MAX_NODE && isPrintable(text)) return text;
  throw invalid(
    "cli",
    `Cannot use --for ${quoted(text)}: a node's identity of at most ${MAX_NODE} characters is needed`,
  );
}

function addressOf(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : hostAddress(text);
  } catch (error) {
    throw invalid("cli", `Cannot use --for-ip ${quoted(text)}: ${messageOf(error)}`);
  }
}
