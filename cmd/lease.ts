/** `flan lease`: who owns which subnet. What each of it does is loaded with its use. */
import { type Command, newGroup, Option, type Runner } from "./cli.ts";
import { leaf, type Subcommand } from "./leaf.ts";
import type { FormatName } from "./output.ts";
import type { SettingKey } from "./settings.ts";

const listFormats: readonly FormatName[] = ["table", "wide", "json", "jsonl", "tsv", "value"];
const formats: readonly FormatName[] = ["table", "json", "tsv", "env", "value"];
const reports: readonly FormatName[] = ["table", "json", "tsv"];
const changeFormats: readonly FormatName[] = ["table", "json", "value"];
const speaksForHost: readonly SettingKey[] = ["iface", "publicIp", "publicIp6", "mtu"];
const holdsLease: readonly SettingKey[] = [...speaksForHost, "leaseTtl"];
const example = "such as 10.244.3.0/24";
const any = ["[subnet]", example] as const;
const one = ["<subnet>", example] as const;

export function command(run: Runner): Command {
  const summary = "Show and change who owns which subnet";
  const all = [...reading, ...own, ...reserving, ...minding];
  return newGroup({ name: "lease", summary }, all.map(([spec, work]) => leaf(spec, run, work)));
}

const reading: readonly Subcommand[] = [
  [{
    name: "list",
    summary: "Every lease of the network, and why one is refused",
    settings: [],
    formats: listFormats,
    after: "STATE is own, peer, flannel (a flannel host), reserved (not claimed) or refused.",
  }, async (call) => await (await import("./lease_list.ts")).listLeases(call)],
  [{
    name: "get",
    summary: "This host's lease, or that of SUBNET",
    args: [any],
    settings: speaksForHost,
    formats,
  }, async (call) => await (await import("./lease_get.ts")).getLease(call)],
];

const own: readonly Subcommand[] = [
  [{
    name: "acquire",
    summary: "Take a lease for this host, without touching its kernel",
    options: [
      new Option("--subnet <cidr>", "the subnet to wish for"),
      new Option("--subnet6 <cidr>", "the IPv6 subnet to wish for, in dual stack"),
    ],
    settings: holdsLease,
    formats,
    after: "Beside a running agent it answers the agent's lease and changes nothing.\n\n" +
      "Example:\n  SUBNET=$(flan lease acquire -o value=subnet)",
  }, async (call) => await (await import("./lease_change.ts")).acquireLease(call)],
  [{
    name: "renew",
    summary: "Let this host's lease live for another --lease-ttl",
    args: [any],
    settings: holdsLease,
    formats,
    after: "Beside a running agent no other --lease-ttl than the agent's is accepted.\n" +
      "Exits with 1 where SUBNET is another's.",
  }, async (call) => await (await import("./lease_change.ts")).renewLease(call)],
  [{
    name: "release",
    summary: "Give this host's subnet back",
    args: [any],
    settings: [],
    formats: changeFormats,
    after: "A reservation stays reserved for whom it was made. The subnet of another host\n" +
      "is taken away with flan lease revoke; one that this host's agent uses, with\nflan down. Exits with 1 where SUBNET is another's.",
  }, async (call) => await (await import("./lease_change.ts")).releaseLease(call)],
];

const reserving: readonly Subcommand[] = [
  [{
    name: "reserve",
    summary: "Keep SUBNET for one host, or from all; its lease never ends",
    args: [one],
    options: [
      new Option("--subnet6 <cidr>", "the IPv6 subnet beside it, in dual stack; a free one by default"),
      new Option("--for <node>", "the node that gets it").conflicts("forIp"),
      new Option("--for-ip <address>", "the address whose host gets it, flan or flannel"),
    ],
    settings: [],
    formats: changeFormats,
    after: "Without --for or --for-ip this host's running lease becomes a reservation, and a\n" +
      "free subnet is kept from everybody. A host that holds another subnet takes the\n" +
      "reserved one when it acquires anew.",
  }, async (call) => await (await import("./lease_reserve.ts")).reserveSubnet(call)],
  [{
    name: "unreserve",
    summary: "End the reservation of SUBNET",
    args: [one],
    settings: ["leaseTtl"],
    formats: changeFormats,
    after: "Where a host has claimed it, the host keeps it as a lease that it must renew.",
  }, async (call) => await (await import("./lease_reserve.ts")).unreserveSubnet(call)],
];

const minding: readonly Subcommand[] = [
  [{
    name: "revoke",
    summary: "Take SUBNET away from whoever holds it",
    args: [one],
    options: [new Option("--yes", "also from another host, whose packets stop")],
    settings: [],
    formats: changeFormats,
    after: "Its peers drop it at once. A holder whose agent runs notices and acquires anew:\n" +
      "the same subnet where it is still free, or else another. To keep it off, stop\n" +
      "its agent first, or reserve the subnet as soon as it is revoked. A reservation\n" +
      "stays reserved for whom it was made, until flan lease unreserve.",
  }, async (call) => await (await import("./lease_revoke.ts")).revokeLease(call)],
  [
    {
      name: "watch",
      summary: "Leases as they come, change and go, one JSON object a line",
      stays: true,
      settings: [],
    },
    async (call) => await (await import("./lease_watch.ts")).watchLeases(call),
  ],
  [{
    name: "gc",
    summary: "Forget old leases, and remove records that nobody can read",
    options: [
      new Option("--older <duration>", "forget what ended longer ago (default 7d)"),
      new Option("--yes", "remove records; without it they are only listed"),
      new Option("--dry-run", "only say what would go"),
    ],
    settings: [],
    formats: reports,
    after: "Removed are records without an end that cannot be read. Never: what ends by\n" +
      "itself, a reservation, or what holds a subnet of the network.",
  }, async (call) => await (await import("./lease_gc.ts")).collectGarbage(call)],
  [{
    name: "check",
    summary: "What is wrong with the leases, and the command that mends it",
    settings: [],
    formats: reports,
    after: "Exits with 3 where a finding is severe (!), with 0 where all are warnings.",
  }, async (call) => await (await import("./lease_check.ts")).checkAllLeases(call)],
];
