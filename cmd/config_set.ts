/** `flan config set`: one value of the network config, by compare-and-swap. */
import { noNetwork } from "../agent/network.ts";
import { backendFor } from "../backends/registry.ts";
import type { Lease } from "../lease/lease.ts";
import { requireFlansAlone, requireNoFlannel } from "../lease/flannel_hosts.ts";
import { FORMER_BACKENDS } from "../lease/former_backends.ts";
import { type NetworkConfig, parseNetworkConfig, requireUsable } from "../lease/network.ts";
import { requireRoom } from "../lease/room.ts";
import { familiesOf, networksOf } from "../lease/stack.ts";
import { isSubnetOf } from "../lease/subnet_range.ts";
import type { Snapshot } from "../lease/store.ts";
import { makeView } from "../lease/view.ts";
import { invalid, systemReason } from "../net/errors.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import type { Clock } from "../net/clock.ts";
import type { Json } from "../net/json.ts";
import { holdsSecret, withoutSecrets } from "../net/secret_option.ts";
import { printable } from "../net/text.ts";
import { withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { requireGradual } from "./abrupt_change.ts";
import { forgottenNotes, optionNotes, wholeBackend } from "./backend_change.ts";
import { rememberingFormer } from "./former_backends.ts";
import { losesEncryption, requireEncryption } from "./lost_encryption.ts";
import { print } from "./output.ts";
import { readTextFile } from "./text_file.ts";

/** Throws `invalid` for a value that no host could use, or that leaves a lease outside, unless forced. */
export async function setValue({ context, flags, args: [key = "", given] }: Call): Promise<number> {
  const value = valueOf(key, given, flags["file"]);
  const shown = shownAs(key, value);
  const force = flags["force"] === true;
  return await withStore(context, async (store) => {
    const snapshot = await store.read();
    if (snapshot.config === undefined) throw noNetwork(store.url);
    const changed = changedBy(snapshot.config.value, { key, value, clock: context.clock });
    const config = parseNetworkConfig(changed);
    const before = parseNetworkConfig(snapshot.config.value);
    if (networkText(before) !== networkText(config)) requireUsable(config);
    requireNoFlannel(config, snapshot);
    requireFlansAlone({ before, after: config }, snapshot);
    if (!force) requireRoom({ before, after: config }, snapshot);
    if (config.unknownKeys.length > 0) {
      throw invalid("config.set", `Cannot set ${key}: flannel's network config has no such key`);
    }
    const notes = [
      ...backendFor(config.backendType).check(config),
      ...idleNotes(key, config),
      ...openness(before, config),
    ];
    const lost = lostLeases(snapshot, { before, after: config });
    if (lost[0] !== undefined && !force) {
      throw invalid(
        "config.set",
        `Cannot set ${key} to ${shown}: ${lost.length} leases would no longer fit, the first is ${
          lost[0].subnet
        }`,
        "add --force if these hosts may take other subnets",
      );
    }
    const { peers } = makeView(snapshot, { node: "", network: before });
    if (!force) requireEncryption(`${key} to ${shown}`, { before, after: config });
    if (!force) requireGradual(`${key} to ${shown}`, { before, after: config, count: peers.length });
    const written = key.toLowerCase() === FORMER_BACKENDS.toLowerCase()
      ? changed
      : rememberingFormer(changed, { before, after: config, leases: peers });
    await store.writeConfig(written, snapshot.config.revision);
    const ofOptions = notesOfOptions(key, { before, after: parseNetworkConfig(written) });
    for (const note of [...notes, ...ofOptions]) console.error(`flan: ${printable(note, 2000)}`);
    print(`${key}: ${jsonOrText(value) === null ? "removed" : shown}`);
    return exit.done;
  });
}

/** What was set for a family that the network does not have is kept, and nobody goes by it. */
function idleNotes(key: string, config: NetworkConfig): string[] {
  if (!/^ipv6/i.test(key) || familiesOf(config).includes(6)) return [];
  return [`${key} has no effect until EnableIPv6 is true: flan config set EnableIPv6 true`];
}

/** Everybody on this host sees the arguments of a command, and a shell keeps them. */
function valueOf(key: string, given: string | undefined, file: unknown): string {
  const path = typeof file === "string" ? file : given === "-" ? "/dev/stdin" : undefined;
  if ((given === undefined) === (file === undefined)) {
    throw invalid("config.set", `Cannot set ${key}: either a value or --file is needed`);
  }
  if (path === undefined) {
    const value = given!;
    if (!holdsSecret(nested(key, jsonOrText(value)))) return value;
    throw invalid(
      "config.set",
      `Cannot set ${key}: it is a secret, and everybody on this host sees the arguments of a command`,
      `write it to a file and use --file, or give - as the value and it on standard input`,
    );
  }
  try {
    return readTextFile(path).replace(/\r?\n$/, "");
  } catch (error) {
    throw invalid("config.set", `Cannot read the value of ${key} from ${path}: ${systemReason(error)}`);
  }
}

/** The value for people's eyes. */
function shownAs(key: string, value: string): string {
  const parsed = jsonOrText(value);
  const last = lastOf(key);
  const { [last]: shown = "" } = withoutSecrets(nested(key, parsed)) as Readonly<Record<string, Json>>;
  return printable(typeof shown === "string" ? shown : JSON.stringify(shown), 2000);
}

function nested(key: string, value: Json): Json {
  return { [lastOf(key)]: value };
}

function lastOf(key: string): string {
  return key.split(".").at(-1)!;
}

/** `backend udp` is a whole new backend; see {@link wholeBackend}. */
export function changedBy(
  document: Json,
  { key, value, clock }: { key: string; value: string; clock: Pick<Clock, "randomBytes"> },
): Json {
  const isBackend = key.toLowerCase() === "backend" && /^[A-Za-z][\w-]*$/.test(value);
  const wanted = isBackend
    ? wholeBackend(value, { before: parseNetworkConfig(document), clock })
    : jsonOrText(value);
  return withValue(document, { path: key.split("."), value: wanted, key });
}

/** What the change does with options that nobody named; who removes one of them knows. */
function notesOfOptions(
  key: string,
  change: { before: NetworkConfig; after: NetworkConfig },
): readonly string[] {
  const { before, after } = change;
  const isBackend = /^backend(\.type)?$/i.test(key);
  return [...isBackend ? optionNotes(before, after) : [], ...forgottenNotes(before, after)];
}

/** Leases that are good and would be refused, or that their hosts would have to give up for another length. */
function lostLeases(
  snapshot: Snapshot,
  { before, after }: { before: NetworkConfig; after: NetworkConfig },
): readonly Lease[] {
  const { peers } = makeView(snapshot, { node: "", network: before });
  const kept = new Set(makeView(snapshot, { node: "", network: after }).peers.map((lease) => lease.subnet));
  // A lease of another stack keeps its IPv4 subnet.
  const fits = (config: NetworkConfig, { subnet, subnet6 }: Lease) =>
    isSubnetOf(config, parseCidr(subnet)) &&
    (subnet6 === undefined || config.ipv6 === undefined || isSubnetOf(config.ipv6, parseCidr(subnet6)));
  return peers.filter((lease) => !kept.has(lease.subnet) || (fits(before, lease) && !fits(after, lease)));
}

/** That packets which were encrypted will be no more. */
function openness(before: NetworkConfig, after: NetworkConfig): readonly string[] {
  return losesEncryption({ before, after })
    ? [`The network was encrypted; backend ${after.backendType} carries its packets in clear`]
    : [];
}

function networkText(config: NetworkConfig): string {
  return networksOf(config).map(formatCidr).join(" and ");
}

function jsonOrText(value: string): Json {
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

/** A copy of `document` with the value at `path`, or without that field for null, which Go reads as none; field names match without regard to case, as flannel reads them. */
export function withValue(
  document: Json,
  { path, value, key }: { path: readonly string[]; value: Json; key: string },
): Json {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (
    typeof document !== "object" || document === null || Array.isArray(document) ||
    !/^[A-Za-z0-9]{1,40}$/.test(first)
  ) {
    throw invalid("config.set", `Cannot set ${key}: a key such as SubnetLen or Backend.VNI is needed`);
  }
  const fields = document as Readonly<Record<string, Json>>;
  const name = Object.keys(fields).find((known) => known.toLowerCase() === first.toLowerCase()) ?? first;
  const { [name]: former, ...others } = fields;
  if (value === null && former === undefined) return document;
  if (value === null && rest.length === 0) return others;
  return { ...fields, [name]: withValue(fields[name] ?? {}, { path: rest, value, key }) };
}
