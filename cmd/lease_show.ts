/** `flan lease list`, `get` and `watch`. */
import { leaseDocument, ownLease } from "../agent/status.ts";
import { readHostState } from "../agent/host_state.ts";
import { observeHost } from "../agent/host.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { type Snapshot } from "../lease/store.ts";
import { makeView } from "../lease/view.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { readNetwork, type StoredNetwork, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { type Column, print, printList } from "./output.ts";
import { subnetArgument } from "./subnet_argument.ts";
import { printOwnLease } from "./own_lease.ts";

type Item = { lease: Lease; refusal?: undefined } | { lease?: undefined; refusal: Refusal };

/** All leases of the network: this host's own, its peers and what is refused, sorted by subnet. */
export function leasesOf({ snapshot, config }: StoredNetwork, node: string | undefined): readonly Item[] {
  const view = makeView(snapshot, { node: node ?? "", network: config });
  const items: Item[] = [
    ...(view.own === undefined ? [] : [{ lease: view.own }]),
    ...view.peers.map((lease) => ({ lease })),
    ...view.refused.map((refusal) => ({ refusal })),
  ];
  const subnet = (item: Item) => item.lease?.subnet ?? item.refusal!.subnet;
  return items.sort((a, b) => compareText(subnet(a), subnet(b)));
}

/** Numbers inside the text compare as numbers, so that 10.244.9.0/24 stands before 10.244.10.0/24. */
const compareText = new Intl.Collator("en", { numeric: true }).compare;

export async function listLeases({ context, format, header }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const network = await withStore(context, readNetwork);
  const now = context.clock.now();
  const left = ({ lease }: Item) => lease && remaining(lease.expires, now);
  const mac = ({ lease }: Item) => {
    const data = lease?.backendData;
    return typeof data === "object" && data !== null && "VtepMAC" in data
      ? String(data["VtepMAC"])
      : undefined;
  };
  const whose = ({ lease, refusal }: Item) =>
    refusal ? "refused" : lease.node === undefined ? "flannel" : lease.node === node ? "own" : "peer";
  const columns: Column<Item>[] = [
    { name: "SUBNET", cell: (item) => item.lease?.subnet ?? item.refusal!.subnet },
    { name: "PUBLIC-IP", cell: (item) => item.lease?.publicIp },
    { name: "BACKEND", cell: (item) => item.lease && (item.lease.backendType || "udp") },
    { name: "STATE", cell: whose },
    { name: "LEFT", cell: left },
    { name: "MAC", cell: mac, wide: true },
    { name: "NODE", cell: (item) => item.lease?.node },
    { name: "NOTE", cell: ({ refusal }) => refusal && `${refusal.code}: ${refusal.reason}` },
  ];
  const epoch = ({ lease }: Item) =>
    lease?.expires === undefined ? undefined : Math.floor(lease.expires / 1000);
  const code = { name: "REASON", cell: (item: Item) => item.refusal?.code };
  printList(format, {
    schema: "leases",
    items: leasesOf(network, node),
    columns: columns.filter((column) =>
      column.name !== "NOTE" || leasesOf(network, node).some((item) => item.refusal)
    ),
    tsv: [...columns.slice(0, 4), { name: "EXPIRES", cell: epoch }, columns[5]!, columns[6]!, code],
    json: (item) =>
      item.lease
        ? { ...leaseDocument(item.lease, node), refused: null }
        : { subnet: item.refusal!.subnet, refused: { ...item.refusal! } },
    empty: "no leases",
    extra: { network: formatCidr(network.config.network), revision: network.snapshot.revision },
  }, header);
  return exit.done;
}

/** `11h02m`, `59s`; "reserved" for a lease that does not end. */
export function remaining(expires: number | undefined, now: number): string {
  if (expires === undefined) return "reserved";
  const seconds = Math.max(0, Math.floor((expires - now) / 1000));
  if (seconds < 60) return `${seconds}s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours === 0 ? `${minutes}m` : `${hours}h${String(minutes).padStart(2, "0")}m`;
}

export async function getLease({ context, format, args: [subnet] }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const wanted = subnet === undefined ? undefined : subnetArgument("subnet", subnet);
  const network = await withStore(context, readNetwork);
  const item = leasesOf(network, node).find(({ lease }) =>
    lease &&
    (wanted === undefined ? lease.node !== undefined && lease.node === node : lease.subnet === wanted)
  );
  if (item?.lease === undefined) {
    const what = wanted === undefined ? "This host has no lease" : `Nobody has lease ${wanted}`;
    throw new FlanError(`${what} in ${context.settings.store}`, { op: "lease.get", code: "no" });
  }
  if (wanted !== undefined && item.lease.node !== node) {
    if (format.kind === "env") {
      throw invalid("lease.get", `Cannot print format "env": lease ${wanted} is not this host's`);
    }
    printOwnLease(format, {
      ...leaseDocument(item.lease, node),
      network: formatCidr(network.config.network),
    });
    return exit.done;
  }
  const lease = item.lease;
  printOwnLease(
    format,
    await withKernel(context, async (kernel) => {
      const host = await observeHost(kernel, { ...network, options: context.settings });
      return ownLease({ lease, ...network, host });
    }),
  );
  return exit.done;
}

/** Prints every lease as `added`, then what changes, until it is interrupted. */
export async function watchLeases({ context }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const ended = new AbortController();
  let code: number = exit.done;
  const end = (by: number) => {
    code = by;
    ended.abort();
  };
  Deno.addSignalListener("SIGINT", () => end(exit.interrupted));
  Deno.addSignalListener("SIGTERM", () => end(exit.terminated));
  await withStore(context, async (store) => {
    const network = await readNetwork(store);
    let before = new Map<string, string>();
    const show = (snapshot: Snapshot) => {
      const now = new Map(
        leasesOf({ ...network, snapshot }, node).flatMap(({ lease }) =>
          lease ? [[lease.subnet, JSON.stringify(leaseDocument(lease, node))] as const] : []
        ),
      );
      for (const [subnet, text] of now) {
        const was = before.get(subnet);
        if (was !== text) event(was === undefined ? "added" : "changed", JSON.parse(text));
      }
      for (const [subnet, text] of before) if (!now.has(subnet)) event("removed", JSON.parse(text));
      before = now;
    };
    show(network.snapshot);
    for await (const snapshot of store.watch(network.snapshot.revision, ended.signal)) show(snapshot);
  });
  return code;
}

function event(kind: "added" | "changed" | "removed", lease: Json): void {
  print(JSON.stringify({ schema: "flan.lease-event/v1", event: kind, lease }));
}
