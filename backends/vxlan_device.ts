/** The vxlan backend's device, one for each address family. */
import { vxlanOverhead } from "../kernel/encapsulation.ts";
import { aliasOf, type KernelObject, type Link } from "../kernel/state.ts";
import { type Family, familyOf } from "../net/ip.ts";
import type { Host } from "./backend.ts";
import { sysctlsOf } from "./sysctls.ts";
import { plannedMtu } from "./mtu.ts";
import { deviceAddress, type Subnet } from "./peers.ts";
import type { VxlanOptions } from "./vxlan_options.ts";

/** The device with what it needs to carry packets of its family, in the order in which it is made. */
export type Device = readonly [Link, ...KernelObject[]];

/** The device of a host that has this subnet. Its family is that of the underlay. */
export function deviceOf(options: VxlanOptions, { own, host }: { own: Subnet; host: Host }): Device {
  const link = linkOf(options, host);
  const address = { kind: "address", link: link.name, address: deviceAddress(own) } as const;
  return [link, ...sysctlsOf(link.name, own.family), address];
}

function linkOf(options: VxlanOptions, host: Host): Link {
  return {
    kind: "link",
    name: nameOf(options, familyOf(host.underlay.address)),
    type: "vxlan",
    alias: aliasOf(host.node),
    mac: host.mac,
    mtu: plannedMtu(host, largestMtu(options, host)),
    up: true,
    ...(host.txChecksum === undefined ? {} : { txChecksum: host.txChecksum }),
    vxlan: {
      vni: options.vni,
      port: options.port,
      local: host.underlay.address,
      parent: host.underlay.link,
      learning: options.learning,
      gbp: options.gbp,
    },
  };
}

/** flannel's MTU option is the underlay's; one that is larger than this host's own would drop packets. */
export function largestMtu(options: VxlanOptions, host: Host): number {
  const { mtu, address } = host.underlay;
  return Math.min(options.underlayMtu ?? mtu, mtu) - vxlanOverhead(familyOf(address));
}

/** As flannel names them, with flan's own name. */
export function nameOf({ vni }: VxlanOptions, family: Family): string {
  return family === 4 ? `flan.${vni}` : `flan-v6.${vni}`;
}
