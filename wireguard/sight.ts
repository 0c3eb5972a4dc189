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
  /** Told why a device cannot be seen, for who changes none; without it a dump fails then. */
  readonly unseen?: ((error: FlanError) => void) | undefined;
}

/** A program that gave no answer so often, over so many milliseconds, is ended; one on a busy machine may be late once. */
const MISSES = 3;
const MUTE_MS = 10_000;

export class WireguardSight {
  readonly #init: WireguardInit;
  readonly #told: ReadonlyMap<string, string>;
  /** By link, reads of a program's device that got no answer since it gave one: when the first was, and how many. */
  readonly #misses = new Map<string, { readonly since: number; readonly count: number }>();

  constructor(init: WireguardInit, told: ReadonlyMap<string, string>) {
    this.#init = init;
    this.#told = told;
  }

  /** The objects with what WireGuard's devices among them say. */
  async whole(objects: readonly KernelObject[], { links }: DumpRequest): Promise<readonly KernelObject[]> {
    const seen: KernelObject[] = [];
    const there = new Set(objects.flatMap((object) => object.kind === "link" ? [object.name] : []));
    for (const link of this.#misses.keys()) if (!there.has(link)) this.#misses.delete(link);
    for (const object of objects) {
      const isProgrammed = object.kind === "link" && this.#isProgrammed(object);
      if (object.kind !== "link" || (!isProgrammed && object.type !== "wireguard")) {
        seen.push(object);
        continue;
      }
      const link: Link = { ...object, type: "wireguard" };
      const device = links.includes(link.name) ? await this.#deviceOf(link, isProgrammed) : undefined;
      seen.push(...objectsOf(link, device, { now: this.#init.clock.now(), told: this.#told }));
    }
    return seen;
  }

  /** A device that goes with its reader and bears a flan's name, or one that is just being made. */
  #isProgrammed({ type, tun, alias, name }: Link): boolean {
    return type === "tun" && tun === undefined &&
      (isFlans(alias) || (alias === "" && this.#init.program.runs(name)));
  }

  /** A program's link without a name is told its key after it got one. */
  async #deviceOf({ name, alias }: Link, isProgrammed: boolean): Promise<DeviceFields | undefined> {
    if (isProgrammed && alias === "") return { publicKey: "", listenPort: 0, peers: [] };
    return await this.#read(name, isProgrammed);
  }

  /** Undefined where nobody answers for it, or who only looks gets no answer. What fails once may be well again. */
  async #read(link: string, isProgrammed: boolean): Promise<DeviceFields | undefined> {
    const { native, program, unseen } = this.#init;
    try {
      const device = await (isProgrammed ? program.devices : native).read(link);
      this.#misses.delete(link);
      return device;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (unseen !== undefined) {
        unseen(error);
        return undefined;
      }
      if (!isProgrammed || error.code === "not-permitted" || !this.#isMute(link)) throw error;
      return undefined;
    }
  }

  /** Notes a miss. Whether the link's program has ended, or has given no answer for so long that it is to be ended. */
  #isMute(link: string): boolean {
    const { clock, program } = this.#init;
    if (!program.runs(link)) return true;
    const now = clock.monotonic();
    const { since, count } = this.#misses.get(link) ?? { since: now, count: 0 };
    this.#misses.set(link, { since, count: count + 1 });
    return count + 1 >= MISSES && now - since >= MUTE_MS;
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
