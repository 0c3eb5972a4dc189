/** `flan lease`: who owns which subnet. */
import { type AnyCommand, newGroup, Option, type Runner } from "./cli.ts";
import { leaf } from "./leaf.ts";
import { acquireLease, releaseLease, renewLease } from "./lease_change.ts";
import { getLease, listLeases, watchLeases } from "./lease_show.ts";
import type { FormatName } from "./output.ts";
import type { SettingKey } from "./settings.ts";

const listFormats: readonly FormatName[] = ["table", "wide", "json", "jsonl", "tsv", "value"];
const formats: readonly FormatName[] = ["table", "json", "env", "value"];
const speaksForHost: readonly SettingKey[] = ["iface", "publicIp", "mtu"];
const holdsLease: readonly SettingKey[] = [...speaksForHost, "leaseTtl"];
const subnet = ["[subnet]", "such as 10.244.3.0/24"] as const;

export function command(run: Runner): AnyCommand {
  const [list, get, watch] = reading(run);
  const summary = "Show and change who owns which subnet";
  return newGroup({ name: "lease", summary }, [list, get, ...changing(run), watch]);
}

function reading(run: Runner): [AnyCommand, AnyCommand, AnyCommand] {
  const list = leaf(
    {
      name: "list",
      summary: "Every lease of the network, and why one is refused",
      settings: [],
      formats: listFormats,
    },
    run,
    listLeases,
  );
  const get = leaf(
    {
      name: "get",
      summary: "This host's lease, or that of SUBNET",
      args: [subnet],
      settings: speaksForHost,
      formats,
    },
    run,
    getLease,
  );
  const watch = leaf(
    { name: "watch", summary: "Leases as they come, change and go, one JSON object a line", settings: [] },
    run,
    watchLeases,
  );
  return [list, get, watch];
}

function changing(run: Runner): AnyCommand[] {
  const acquire = leaf(
    {
      name: "acquire",
      summary: "Take a lease for this host, without touching its kernel",
      options: [new Option("--subnet <cidr>", "the subnet to wish for")],
      settings: holdsLease,
      formats,
      after: "Example:\n  SUBNET=$(flan lease acquire -o value=subnet)",
    },
    run,
    acquireLease,
  );
  const renew = leaf(
    {
      name: "renew",
      summary: "Let this host's lease live for another --lease-ttl",
      settings: holdsLease,
      formats,
    },
    run,
    renewLease,
  );
  const release = leaf(
    {
      name: "release",
      summary: "Give this host's subnet back, or that of SUBNET",
      args: [subnet],
      options: [new Option("--force", "also while the lease is in use, or another host's")],
      settings: [],
    },
    run,
    releaseLease,
  );
  return [acquire, renew, release];
}
