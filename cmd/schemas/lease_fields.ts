/** A lease as several documents show it. */
import { backendTypes } from "../../backends/types.ts";
import {
  about,
  address,
  anything,
  count,
  type Fields,
  mtu,
  node,
  nullable,
  oneOf,
  subnet,
  text,
  time,
  word,
  yesOrNo,
} from "./shapes.ts";

export const leaseFields: Fields = {
  subnet,
  publicIp: about("where its host is reached; null for a reservation that nobody claimed", nullable(address)),
  backend: nullable(word(...backendTypes)),
  backendData: about("what the backend keeps in the lease, as flannel does", anything),
  node: about("null for a flannel host", nullable(node)),
  own: about("whether it is this host's", yesOrNo),
  reservation: about("whether it has no end", yesOrNo),
  expires: nullable(time),
  revision: count,
};

/** What this host makes of its own lease. */
export const ownFields: Fields = {
  gateway: about("the address of the bridge that containers are behind", subnet),
  network: subnet,
  device: about("empty where the backend makes none", text),
  mtu,
  ipMasq: yesOrNo,
};

/** What a lease is to this host. */
export const state = oneOf("own", "peer", "flannel", "reserved", "refused");

/** Only on leases of a dual-stack network. */
export const dualStack: Fields = { subnet6: subnet, publicIp6: { type: "string", format: "ipv6" } };

/** Only where the network is dual stack; `gateway6` and `device6` only of this host's own lease. */
export const dualNetwork: Fields = { network6: subnet };
export const ownDual: Fields = { ...dualStack, ...dualNetwork, gateway6: subnet, device6: text };
