/**
 * Which peers know this host by the nonce that it announces for IPsec. Until a peer does, it drops what it is sent by that,
 * whatever its lease says of it.
 *
 * How soon a peer reads the store nobody knows, so it is asked. Once this host has announced a nonce it knows the revision
 * of the lease that did so, and its lease asks for that one. Whoever has all that it read in its kernel answers, by the
 * revision up to which it had read. An answer is given only where somebody asks for more than what was answered before,
 * so no answer calls for another one.
 */
import { announcementOn, announces, type Plane } from "../backends/several.ts";
import type { Host } from "../backends/backend.ts";
import type { Lease } from "../lease/lease.ts";
import type { OtherPlane } from "../lease/other_planes.ts";
import { planeName } from "./planes.ts";

interface Announced {
  /** What the lease says of the plane; undefined for one of which peers knew before the network moved. */
  readonly text: string | undefined;
  /** The lease's revision. */
  readonly at: number;
}

export class Acquaintance {
  /** By the plane's name. */
  readonly #announced = new Map<string, Announced>();
  /** The revision up to which others were told that their leases are known. */
  #heard: number | undefined;

  /** The plane was announced before there was another one. */
  isOld(name: string): void {
    this.#announced.set(name, { text: undefined, at: 0 });
  }

  /** Takes in that `own`, the lease as it stands in the store, announces the planes. */
  announced(planes: readonly Plane[], { own, host }: { own: Lease; host: Host }): void {
    for (const plane of planes.filter(isPicky)) {
      const name = planeName(plane);
      const text = wordsOf(own, { plane, host });
      const before = this.#announced.get(name);
      if (before?.text === text) continue;
      const isKnown = before !== undefined && before.text === undefined;
      this.#announced.set(name, { text, at: isKnown ? before.at : own.revision });
    }
  }

  /** Takes in that the kernel has what these leases say. */
  tookIn(peers: readonly Lease[]): void {
    const asked = Math.max(0, ...peers.flatMap(othersOf).map(({ asks = 0 }) => asks));
    if (asked > (this.#heard ?? 0)) this.#heard = Math.max(...peers.map(({ revision }) => revision));
  }

  /** Whether the peer takes in what comes by the plane from this host. */
  isKnownTo(peer: Lease, plane: Plane): boolean {
    if (!isPicky(plane)) return true;
    const { at = Infinity } = this.#announced.get(planeName(plane)) ?? {};
    return Math.max(0, ...othersOf(peer).map(({ heard = 0 }) => heard)) >= at;
  }

  /** What the lease is to say of it, beside each plane but the first. */
  get words(): Pick<OtherPlane, "heard" | "asks"> {
    const asks = Math.max(0, ...[...this.#announced.values()].map(({ at }) => at));
    return {
      ...(this.#heard === undefined ? {} : { heard: this.#heard }),
      ...(asks === 0 ? {} : { asks }),
    };
  }

  /** Forgets all other planes. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#announced.keys()) if (!names.has(name)) this.#announced.delete(name);
  }
}

function isPicky({ backend }: Plane): boolean {
  return backend.epochs !== undefined;
}

function othersOf({ otherPlanes = [] }: Lease): readonly OtherPlane[] {
  return otherPlanes;
}

/** What tells one key or nonce from another. */
function wordsOf(own: Lease, { plane, host }: { plane: Plane; host: Host }): string {
  const said = [own, ...othersOf(own)].find((one) => announces(one, plane, host)) ??
    announcementOn(plane, host);
  return JSON.stringify([said.backendData, said.backendV6Data]);
}
