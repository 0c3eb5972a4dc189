/** WireGuard devices and their peers as values (wireguard.com/papers/wireguard.pdf), without a secret in them. */

/** What of a WireGuard device can be changed while it exists. */
export interface Wireguard {
  /** UDP port, of both address families. */
  readonly listenPort: number;
  /** Base64, 44 characters; "" while the device has no key. */
  readonly publicKey: string;
}

export interface WireguardPeer {
  readonly kind: "wireguard-peer";
  readonly link: string;
  /** Base64, 44 characters; names the peer. */
  readonly publicKey: string;
  /** `192.0.2.2:51820` or `[2001:db8::2]:51820`; "" while none is known. */
  readonly endpoint: string;
  /** Prefixes that it may send from and that are sent to it, sorted. */
  readonly allowedIps: readonly string[];
  /** Seconds between two packets that keep a NAT open, 0 for none. */
  readonly keepalive: number;
  /** Fingerprint of the pre-shared key, "" for none. */
  readonly presharedKey: string;
  /** Seconds since the latest handshake; only of what was read, where there was one. */
  readonly handshakeAge?: number;
  /** The endpoint that it was given last; only of what was read, where that is known. */
  readonly told?: string;
}

/** The keys (`peerKey`) of the peers among the objects with which there has been a handshake, as they were read. */
export function keysMet(objects: Iterable<WireguardPeer | { readonly kind: string }>): Set<string> {
  const met = new Set<string>();
  for (const object of objects) {
    if ("handshakeAge" in object && object.handshakeAge !== undefined) met.add(peerKey(object));
  }
  return met;
}

/**
 * The names, but for `.key` and `.pub`, of the files that hold a device's key pair. Each device has a key of its own: with
 * one for two, a session could come to stand between devices of different address families, and nothing would end it.
 */
export function keyFileOf(device: string): string {
  return device.replace(/^flan-wg/, "wireguard");
}

/** Seconds after which a session ends, and a peer that is well has made another handshake (REJECT_AFTER_TIME). */
const SESSION_S = 180;

/** What names the peer among all of the host. */
export function peerKey({ link, publicKey }: Pick<WireguardPeer, "link" | "publicKey">): string {
  return `wireguard-peer ${publicKey} dev ${link}`;
}

/**
 * The peer that is wanted, with the endpoint that stays. One from which a handshake came lately is where it says it is:
 * it may have moved, or be behind a NAT. Only a wish that is newer than the last one goes before that.
 */
export function withLivingEndpoint(wanted: WireguardPeer, found: WireguardPeer): WireguardPeer {
  const lives = found.handshakeAge !== undefined && found.handshakeAge < SESSION_S;
  const isOld = found.told === undefined || found.told === wanted.endpoint;
  return lives && isOld && found.endpoint !== "" ? { ...wanted, endpoint: found.endpoint } : wanted;
}

/** Without what only reading tells. */
export function settingsOfPeer({ handshakeAge: _, told: __, ...settings }: WireguardPeer): WireguardPeer {
  return settings;
}
