/** A host of a lab that is no flan host: the plain program carries its packets, and a lease in the store says so. */
import { systemClock } from "../../agent/clock.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { leaseKey } from "../../lease/key.ts";
import { openStore } from "../../lease/open.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import type { HostProcess } from "./host_process.ts";
import type { Hosts } from "./hosts.ts";
import { program } from "./programs.ts";

export const PLAIN_SUBNET = "10.244.77.0/24";
/** The address of the plain host in the overlay; the address of its device is the subnet's own. */
export const PLAIN_CONTAINER = "10.244.77.1";
export const PLAIN_DEVICE = "plain0";
/** The port of flannel's udp backend. */
export const UDP_PORT = "8285";

/**
 * Gives a host that never speaks for itself a lease, as flannel's udp backend writes it: no type, no data. Those of
 * other backends have `more`.
 */
export async function leaseFor(
  hosts: Hosts,
  { address }: LabHost,
  { subnet, subnet6, ...more }: {
    subnet: string;
    subnet6?: string;
    PublicIPv6?: string;
    BackendType?: string;
    BackendData?: Json;
    BackendV6Data?: Json;
  },
): Promise<void> {
  const store = await openStore(hosts.lab.store, { clock: systemClock, log: silent });
  try {
    const value = { PublicIP: address, PublicIPv6: null, ...more };
    await store.create({ key: leaseKey({ subnet, subnet6 }), value, node: undefined, ttl: 3600 });
  } finally {
    store.close();
  }
}

/** Starts the plain program on `host`, with `remote` at its other end, and sends the network's packets to it. */
export async function startPlain(hosts: Hosts, host: LabHost, remote: LabHost): Promise<HostProcess> {
  const argv = [PLAIN_DEVICE, host.address, remote.address, UDP_PORT];
  const peer = hosts.start(host, [await program(hosts, "plain_peer"), ...argv]);
  await peer.out.line(/^ready$/);
  await hosts.ip(
    host,
    `address add ${PLAIN_SUBNET.replace("/24", "/32")} dev ${PLAIN_DEVICE}`,
    `link set ${PLAIN_DEVICE} mtu 1472 up`,
    `route add 10.244.0.0/16 dev ${PLAIN_DEVICE}`,
    "link add cni0 type bridge",
    `address add ${PLAIN_CONTAINER}/24 dev cni0`,
    "link set cni0 up",
  );
  return peer;
}

/** What a host's kernel has counted of packets that it could not use: checksums, headers, reassembly. */
export async function errorsCounted(hosts: Hosts, host: LabHost): Promise<string[]> {
  const { stdout } = await hosts.lab.on(host, ["cat", "/proc/net/snmp", "/proc/net/netstat"]);
  const lines = stdout.trim().split("\n").map((line) => line.split(/:? /));
  const errors =
    /^(InCsumErrors|CsumErrors|InHdrErrors|InErrors|InErrs|ReasmFails|FragFails|InTruncatedPkts)$/;
  return lines.flatMap((names, i) =>
    names.flatMap((name, column) => {
      const value = lines[i + 1]?.[column];
      return i % 2 === 0 && errors.test(name) && value !== "0" ? [`${names[0]} ${name} ${value}`] : [];
    })
  );
}
