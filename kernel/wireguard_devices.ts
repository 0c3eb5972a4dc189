/** WireGuard devices as they are told and asked, by generic netlink or over a socket of a program's. */
import type { Wireguard, WireguardPeer } from "./state.ts";

export interface PeerFields extends Omit<WireguardPeer, "kind" | "link" | "handshakeAge" | "told"> {
  /** Seconds since 1970, 0 for none. */
  readonly handshake: number;
}

export interface DeviceFields extends Wireguard {
  readonly peers: readonly PeerFields[];
}

export interface PeerChange {
  readonly publicKey: string;
  /** Takes it away; nothing else of the change counts then. */
  readonly remove?: true;
  /** Left as it is where it is undefined. */
  readonly endpoint?: string | undefined;
  readonly allowedIps: readonly string[];
  readonly keepalive: number;
  /** None where it is undefined. */
  readonly presharedKey: Uint8Array | undefined;
}

/** What is left out stays as it is. */
export interface DeviceChange {
  readonly privateKey?: Uint8Array;
  readonly listenPort?: number;
  readonly peers?: readonly PeerChange[];
}

export interface WireguardDevices {
  /**
   * Throws KernelError: ENODEV where there is no such device, `not-permitted` for who may not see it, and others where
   * it gives no answer.
   */
  read(link: string): Promise<DeviceFields>;
  /** Carries the change out, peers in the order given. Throws KernelError; a part may be done then. */
  write(link: string, change: DeviceChange): Promise<void>;
}
