/** Members of a network of the udp backend, for tests of what may befall their proxies. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { type ShownProxy, showProxy } from "./ask_proxy.ts";
import type { Hosts, Member } from "./hosts.ts";
import { icmp, udp as datagram } from "./packet_bytes.ts";
import { udp } from "./planes.ts";

/** The port of flannel's udp backend. */
const PORT = 8285;

/** The options of a lab of members. */
export const members = (count: number, lab: string) => ({ lab, hosts: count, plane: udp });

/** The proxy of a member, which must have one. */
export async function proxyOf({ host }: Member): Promise<ShownProxy> {
  const shown = await showProxy(host);
  assert.ok(shown, `${host.namespace} has a proxy`);
  return shown;
}

/** Runs `body` while the agent can do nothing, so that what it would mend stays broken. */
export async function withoutAgent({ agent }: Member, body: () => Promise<void>): Promise<void> {
  Deno.kill(agent.pid, "SIGSTOP");
  try {
    await body();
  } finally {
    Deno.kill(agent.pid, "SIGCONT");
  }
}

/** An echo request from one member's container to another one's, with `size` bytes behind the ICMP checksum. */
export function echoRequest(from: Member, to: Member, size = 64): Uint8Array {
  const ends = { source: from.container, destination: to.container };
  return icmp(ends, { type: 8, code: 0, rest: new Uint8Array(size) });
}

/** What a member's host would send to another one's container, as the datagram between the two. */
export function carried(from: Member, to: Member): Uint8Array {
  const payload = echoRequest(from, to);
  return datagram({ source: from.host.address, destination: to.host.address, port: PORT, payload });
}

/** Packets that the kernel could not queue for the proxy of a host, so far. */
export async function droppedBy(hosts: Hosts, host: LabHost): Promise<number> {
  const [link] = await hosts.show(host, "ip", `-statistics link show dev ${udp.device}`);
  return (link!["stats64"] as { tx: { dropped: number } }).tx.dropped;
}
