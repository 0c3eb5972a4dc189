/**
 * The ipsec data plane: an XFRM interface that the whole network is routed into, and for each peer policies by which its
 * packets are ESP (RFC 4303) in tunnel mode, with AES-128-GCM-16 (RFC 4106) and extended sequence numbers. Carries IPv4
 * over IPv4. Keys are derived by each host, see net/ipsec_key.ts; flannel's hosts agree upon theirs by IKE and are none
 * of its peers.
 *
 * Of each peer three states that come in are there, of the epoch before, of now and of the next one, and one that goes
 * out. So hosts that do not change at the same moment hear each other as long as their clocks differ by less than an
 * epoch. The new outgoing state is made before the old one goes. Nothing goes in clear meanwhile, or when states are
 * missing: the device sends nothing that no policy is for, the policies ask for ESP, behind the route into the device a
 * barrier stands, and what comes from the network in clear is not let in.
 *
 * With `UDPEncap` ESP goes in UDP (RFC 3948) from port 4500 to port 4500, for which a socket is there as well.
 */
import { espRoom } from "../kernel/encapsulation.ts";
import {
  type Address,
  aliasOf,
  type EncapSocket,
  type KernelObject,
  keyOf,
  type Link,
} from "../kernel/state.ts";
import { ENCAP_PORT, xfrmMark, type XfrmPolicy, type XfrmState } from "../kernel/xfrm.ts";
import type { View } from "../lease/view.ts";
import { fingerprint } from "../net/fingerprint.ts";
import { formatCidr } from "../net/ip.ts";
import { deriveKey, type End, indexOf } from "../net/ipsec_key.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { ipv4Problems, requireIpv4 } from "./families.ts";
import { exceptions, guards } from "./ipsec_guards.ts";
import { type IpsecOptions, readIpsecOptions } from "./ipsec_options.ts";
import { type IpsecPeer, ipsecPeers, positionOf } from "./ipsec_peers.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { barrierFor, networkRoute } from "./network_route.ts";
import { deviceAddress, ownSubnet, Refused, refusing } from "./peers.ts";

const TYPE = "ipsec";
const DEVICE = "flan.ipsec";

/** Of the policies of packets that take the device. */
const PRIORITY = 1000;

export const ipsec: Backend = {
  type: TYPE,
  needs: ["ipsec"],
  hasMac: false,
  encrypts: true,

  needsFor(config) {
    return readIpsecOptions(config.backendOptions).options.isInUdp ? ["udp-encap"] : [];
  },

  check(config) {
    requireIpv4(config, TYPE);
    const { read } = readIpsecOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  epochs(config) {
    return readIpsecOptions(config.backendOptions).options.span;
  },

  secrets(config) {
    const { presharedKey } = readIpsecOptions(config.backendOptions).options;
    return new Map(presharedKey === undefined ? [] : [[presharedKey.fingerprint, presharedKey.bytes]]);
  },

  /** The first two go into every key. */
  agreed(config) {
    const { presharedKey, span, isInUdp } = readIpsecOptions(config.backendOptions).options;
    return { PSK: presharedKey?.fingerprint ?? "", RekeySeconds: span, UDPEncap: isInUdp };
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices() {
    return [DEVICE];
  },

  announce(_config, host) {
    return { backendType: TYPE, backendData: { Nonce: host.ipsec?.nonce ?? "" } };
  },

  mtu(config, host) {
    return overlayMtu(host, roomOf(readIpsecOptions(config.backendOptions).options, host));
  },

  plan,

  admit({ own }, { host, peers }) {
    if (own === undefined) return [];
    return exceptions(peers.map(({ subnet }) => subnet), {
      mark: xfrmMark(aliasOf(host.node)),
      subnet: own.subnet,
    });
  },
};

function roomOf({ isInUdp }: IpsecOptions, { underlay }: Host): number {
  return espRoom(underlay.mtu, { family: 4, isInUdp });
}

function plan(view: View, host: Host): Plan {
  const { options, read } = readIpsecOptions(view.network.backendOptions);
  const own = ownSubnet(view, [...ipv4Problems(view.network), ...read.problems]);
  const network = formatCidr(view.network.network);
  const barrier = barrierFor(network);
  if ("objects" in own) return { ...own, objects: [barrier] };
  const subnet = view.own!.subnet;
  const position = positionOf(subnet, view.network);
  if (position === undefined) {
    return { ...refusing(view, new Refused("bad-subnet", "it is not in the network")), objects: [barrier] };
  }
  const { peers, refused } = ipsecPeers(view.peers, {
    own,
    range: view.network,
    host: { publicIp: host.publicIp, address: host.underlay.address },
  });
  const mark = xfrmMark(aliasOf(host.node));
  const link: Link = {
    kind: "link",
    name: DEVICE,
    type: "xfrm",
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(host, roomOf(options, host)),
    up: true,
    xfrm: { interfaceId: mark },
  };
  const address: Address = { kind: "address", link: DEVICE, address: deviceAddress(own) };
  const route = networkRoute(network, DEVICE);
  const sockets: EncapSocket[] = options.isInUdp ? [{ kind: "encap-socket", port: ENCAP_PORT }] : [];
  const common: Common = {
    mark,
    network,
    subnet,
    position,
    options,
    address: host.underlay.address,
    nonce: host.ipsec?.nonce ?? "",
    epoch: host.ipsec?.epoch ?? 0,
    shared: [...sockets, route].map((object) => keyOf(object)),
  };
  const made = peers.map((peer) => objectsOf(peer, common));
  return {
    objects: [
      barrier,
      link,
      address,
      ...sockets,
      ...made.flatMap((one) => one.states),
      ...made.flatMap((one) => one.policies),
      ...guards(common),
      route,
    ],
    peers: made.map((one) => one.plan),
    refused,
  };
}

/** What all peers share. */
interface Common {
  /** Of this host's states, policies and device. */
  readonly mark: number;
  readonly network: string;
  readonly options: IpsecOptions;
  /** This host's subnet, its number among all, this host's address on the underlay, and what it announces. */
  readonly subnet: string;
  readonly position: number;
  readonly address: string;
  readonly nonce: string;
  readonly epoch: number;
  /** The keys of what every one of them needs: the route, and a socket for ESP in UDP. */
  readonly shared: readonly string[];
}

/** The same objects for the same peer each time: deriving keys takes its time, and whoever compares plans sees what is new. */
const objectsOf = memo(
  makeObjects,
  (a, b) =>
    a.mark === b.mark && a.network === b.network && a.subnet === b.subnet && a.address === b.address &&
    a.nonce === b.nonce && a.epoch === b.epoch && a.options.isInUdp === b.options.isInUdp &&
    a.position === b.position && a.options.span === b.options.span &&
    a.options.presharedKey?.fingerprint === b.options.presharedKey?.fingerprint,
);

function makeObjects(
  peer: IpsecPeer,
  common: Common,
): { states: readonly XfrmState[]; policies: readonly XfrmPolicy[]; plan: PeerPlan } {
  const { lease } = peer;
  const states = statesWith(peer, common);
  const ends = { source: common.address, destination: lease.publicIp };
  const back = { source: lease.publicIp, destination: common.address };
  const shared = {
    kind: "xfrm-policy" as const,
    priority: PRIORITY,
    action: "tunnel" as const,
    requestId: common.mark,
    interfaceId: common.mark,
  };
  const incoming = { ...shared, source: lease.subnet, destination: common.subnet, ends: back };
  const policies: XfrmPolicy[] = [
    { ...shared, direction: "out", source: common.subnet, destination: lease.subnet, ends },
    { ...incoming, direction: "in" },
    { ...incoming, direction: "fwd" },
  ];
  const keys = [...states, ...policies].map((object: KernelObject) => keyOf(object));
  return { states, policies, plan: { lease, way: TYPE, keys: [...keys, ...common.shared] } };
}

/** None while this host has no nonce: what it will be, nobody knows. */
function statesWith({ lease, nonce, position }: IpsecPeer, common: Common): XfrmState[] {
  const { epoch, address } = common;
  if (common.nonce === "") return [];
  const own: End = { subnet: common.subnet, nonce: common.nonce };
  const other: End = { subnet: lease.subnet, nonce };
  const out = { source: address, destination: lease.publicIp };
  const back = { source: lease.publicIp, destination: address };
  return [
    ...[epoch - 1, epoch, epoch + 1].map((one) =>
      stateFor(common, { from: other, to: own, epoch: one, ends: back, position })
    ),
    stateFor(common, { from: own, to: other, epoch, ends: out, position: common.position }),
  ];
}

function stateFor(
  { mark, network, options: { presharedKey, span, isInUdp } }: Common,
  { from, to, epoch, ends, position }: {
    from: End;
    to: End;
    epoch: number;
    ends: Pick<XfrmState, "source" | "destination">;
    /** Of the subnet that it comes from. */
    position: number;
  },
): XfrmState {
  const derivation = { network, from, to, span, epoch };
  return {
    kind: "xfrm-state",
    ...ends,
    spi: indexOf(position, epoch),
    requestId: mark,
    interfaceId: mark,
    ...(isInUdp ? { encapPort: ENCAP_PORT } : {}),
    key: fingerprint(deriveKey(presharedKey!.bytes, derivation)),
    derivation: { ...derivation, presharedKey: presharedKey!.fingerprint },
  };
}
