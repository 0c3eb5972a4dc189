/** WireGuard's devices and peers, the kernel's own and a program's, as objects. */
import type { DumpRequest } from "../kernel/kernel.ts";
import { isFlans } from "../kernel/ownership.ts";
import type { Secrets } from "../kernel/secrets.ts";
import type { KernelObject, Link, WireguardPeer } from "../kernel/state.ts";
import { peerKey } from "../kernel/wireguard.ts";
import type { Clock } from "../net/clock.ts";
import { type FlanError, KernelError } from "../net/errors.ts";
import type { DeviceFields, PeerFields, WireguardDevices } from "../kernel/wireguard_devices.ts";
import type { WireguardProgram } from "./program.ts";

export interface WireguardInit {
  readonly clock: Clock;
  readonly secrets: Secrets;
  /** The kernel's own devices. */
  readonly native: WireguardDevices & { isThere(): boolean; close(): void };
  readonly program: WireguardProgram;
  /** Told why the devices cannot be seen by this user; without it a dump fails then. */
  readonly unseen?: ((error: FlanError) => void) | undefined;
}

export class WireguardSight {
  readonly #init: WireguardInit;
  readonly #told: ReadonlyMap<string, string>;

  constructor(init: WireguardInit, told: ReadonlyMap<string, string>) {
    this.#init = init;
    this.#told = told;
  }

  /** The objects with what WireGuard's devices among them say. */
  async whole(objects: readonly KernelObject[], { links }: DumpRequest): Promise<readonly KernelObject[]> {
    const { native, program } = this.#init;
    const seen: KernelObject[] = [];
    for (const object of objects) {
      const isProgrammed = object.kind === "link" && this.#isProgrammed(object);
      if (object.kind !== "link" || (!isProgrammed && object.type !== "wireguard")) {
        seen.push(object);
        continue;
      }
      const link: Link = { ...object, type: "wireguard" };
      const device = links.includes(link.name)
        ? await this.#read(link.name, isProgrammed ? program.devices : native)
        : undefined;
      seen.push(...objectsOf(link, device, { now: this.#init.clock.now(), told: this.#told }));
    }
    return seen;
  }

  /** A device that goes with its reader and bears a flan's name, or one that is just being made. */
  #isProgrammed({ type, tun, alias, name }: Link): boolean {
    return type === "tun" && tun === undefined &&
      (isFlans(alias) || (alias === "" && this.#init.program.runs(name)));
  }

  /** Undefined where nobody answers for it, or this user may not ask. */
  async #read(link: string, devices: WireguardDevices): Promise<DeviceFields | undefined> {
    try {
      return await devices.read(link);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.code !== "not-permitted") return undefined;
      if (this.#init.unseen === undefined) throw error;
      this.#init.unseen(error);
      return undefined;
    }
  }
}

function objectsOf(
  link: Link,
  device: DeviceFields | undefined,
  { now, told }: { now: number; told: ReadonlyMap<string, string> },
): KernelObject[] {
  if (device === undefined) return [link];
  const { listenPort, publicKey, peers } = device;
  return [
    { ...link, wireguard: { listenPort, publicKey } },
    ...peers.map((peer) => peerObject(link.name, peer, { now, told })),
  ];
}

/** `now` is in milliseconds since 1970. */
export function peerObject(
  link: string,
  { handshake, ...peer }: PeerFields,
  { now, told }: { now: number; told: ReadonlyMap<string, string> },
): WireguardPeer {
  const endpoint = told.get(peerKey({ link, publicKey: peer.publicKey }));
  return {
    kind: "wireguard-peer",
    link,
    ...peer,
    ...(handshake === 0 ? {} : { handshakeAge: Math.max(0, Math.floor(now / 1000) - handshake) }),
    ...(endpoint === undefined ? {} : { told: endpoint }),
  };
}
