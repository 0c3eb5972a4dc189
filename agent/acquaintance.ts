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
import { askedBy, heardBy, type OtherPlane } from "../lease/other_planes.ts";
import { planeName, wantsAcquaintance } from "./planes.ts";

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
  /** The store's, as it was seen last. */
  #revision = 0;

  /** The plane was announced before there was another one. */
  isOld(name: string): void {
    this.#announced.set(name, { text: undefined, at: 0 });
  }

  /** Takes in that `own`, the lease as it stands in the store, announces the planes. */
  announced(planes: readonly Plane[], { own, host }: { own: Lease; host: Host }): void {
    for (const plane of planes.filter(wantsAcquaintance)) {
      const name = planeName(plane);
      const text = wordsOf(own, { plane, host });
      const before = this.#announced.get(name);
      if (before?.text === text) continue;
      const isKnown = before !== undefined && before.text === undefined;
      this.#announced.set(name, { text, at: isKnown ? before.at : own.revision });
    }
  }

  /**
   * Takes in that the kernel has what these leases say. Where somebody asks for a revision that none of them has reached,
   * which came from a store that was restored since, there is nothing to be said yet: an answer that can never be enough
   * would be given again for each lease that changes.
   */
  tookIn(peers: readonly Lease[]): void {
    const asked = Math.max(0, ...peers.map(askedBy));
    const read = Math.max(0, ...peers.map(({ revision }) => revision));
    if (asked > (this.#heard ?? 0) && read >= asked) this.#heard = read;
  }

  /** Takes in the revision that the store is at. One that went back counts anew, and nothing that was said is true of it. */
  storeIsAt(revision: number): void {
    if (revision < this.#revision) {
      this.#heard = undefined;
      for (const [name, { at }] of this.#announced) if (at > 0) this.#announced.delete(name);
    }
    this.#revision = revision;
  }

  /** Whether the peer takes in what comes by the plane from this host. */
  isKnownTo(peer: Lease, plane: Plane): boolean {
    if (!wantsAcquaintance(plane)) return true;
    const { at = Infinity } = this.#announced.get(planeName(plane)) ?? {};
    return heardBy(peer) >= at;
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

/** What tells one key or nonce from another. */
function wordsOf(own: Lease, { plane, host }: { plane: Plane; host: Host }): string {
  const said = [own, ...own.otherPlanes ?? []].find((one) => announces(one, plane, host)) ??
    announcementOn(plane, host);
  return JSON.stringify([said.backendData, said.backendV6Data]);
}
