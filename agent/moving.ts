/**
 * The move of a living network from one backend to another. All hosts follow the config at once, each at its own pace,
 * and none waits for another; what keeps them together is that each has both planes for as long as anybody needs them:
 *
 * 1. A host that sees the new config makes the new plane beside the old one, and sends as before. Only when its own part
 *    of the new plane stands does its lease announce that, and beside it the old one, by which it can still be reached.
 * 2. From then on it sends to each peer by the plane that the peer's lease announces; by one with keys only when a
 *    handshake was seen: two that begin to send at the same moment would both get nothing for seconds (see
 *    backends/several_met.ts). A host that cannot run the new plane announces the old one, and is reached by that for as
 *    long as it lives.
 * 3. When no peer announces the old plane any more, it sends by the new one alone, and its lease says so.
 * 4. When every peer's lease has said so, nothing can come by the old plane, and it is taken away.
 *
 * Since each step follows from what leases say, and a host says only what it has done already, no packet depends on how
 * soon a store tells whom. A host that is dead holds the old plane until its lease ends; a reservation has no end, and
 * holds it until somebody takes it back. What a host had is kept in its state directory, so that an agent that is
 * started again goes on with the move. Two planes that want the same device (another port of one VXLAN, for instance)
 * cannot stand beside each other, and flan carries no packets of `alloc` and `extension`: there every host changes over
 * at once.
 *
 * By `ipsec`, where nobody shakes hands, a host that has announced a nonce asks its peers, by the revision of its lease,
 * whether they have taken it in, and sends by that plane to those whose leases say so; see agent/acquaintance.ts.
 */
import type { Backend, Host } from "../backends/backend.ts";
import { identityOf } from "../backends/identity.ts";
import {
  admittedBy,
  announcementOn,
  announces,
  carrierOf,
  type Carriers,
  FREELY,
  meetings,
  type Plane,
  type Planes,
  saysItSends,
  type Sending,
  several,
  standOf,
} from "../backends/several.ts";
import type { Report } from "../kernel/reconcile.ts";
import { isBarrier } from "../kernel/relations.ts";
import { type KernelObject, keyOf } from "../kernel/state.ts";
import type { Lease } from "../lease/lease.ts";
import type { OtherPlane } from "../lease/other_planes.ts";
import type { View } from "../lease/view.ts";
import type { Clock } from "../net/clock.ts";
import { Acquaintance } from "./acquaintance.ts";
import { canStandBeside, MOST_FORMER, planeName, planesStillNeeded } from "./planes.ts";
import { Strangers } from "./strangers.ts";

/** How far the move is, as this host sees it. */
export interface Move {
  /** The backends that somebody may still send by, the latest first. */
  readonly from: readonly string[];
  readonly to: string;
  /** How many hosts have gone over to the new one, this one included. */
  readonly moved: number;
  /** The subnets of those that do not announce it, or are not known yet to know this host there. */
  readonly waiting: readonly string[];
}

/** What a reconcile has come to. */
export interface Outcome {
  readonly report: Report;
  readonly view: View;
  readonly host: Host;
  /** The keys (`peerKey`) of peers with which there has been a handshake, as the kernel was read last. */
  readonly met: ReadonlySet<string>;
}

export class Moving {
  #planes!: Planes;
  #backend!: Backend;
  /** The name of the plane that the lease announces. */
  #announced = "";
  /** Names of those that this host can be reached by. */
  readonly #ready = new Set<string>();
  /** Names of those that this host sends by, or will when its lease has said so. */
  #sends = new Set<string>();
  /** Names of those that its lease has said it sends by; undefined as long as that is not known. */
  #said: ReadonlySet<string> | undefined;
  /** Keys (`peerKey`) of peers that know this host. */
  readonly #met = new Set<string>();
  readonly #strangers: Strangers;
  readonly #acquaintance = new Acquaintance();

  constructor(clock: Clock) {
    this.#strangers = new Strangers(clock);
  }

  /** The present one and those that somebody may still need. */
  get planes(): Planes {
    return this.#planes;
  }

  /** All of them as one. */
  get backend(): Backend {
    return this.#backend;
  }

  get devices(): readonly string[] {
    return this.#planes.flatMap(({ backend, config }) => backend.devices(config));
  }

  /**
   * The network is to have this plane from now on; the one that it had before is kept as it is on `host`. See {@link resume}
   * for a host that was in another one before.
   */
  adopt(plane: Plane, host: Host | undefined): void {
    const [present, ...former]: readonly Plane[] = this.#planes ?? [];
    const before = present === undefined || host === undefined ? [] : [frozen(present, host), ...former];
    const name = planeName(plane);
    // What is announced stands.
    this.#ready.add(this.#announced);
    if (this.#said === undefined) {
      this.#said = new Set([this.#announced]);
      this.#acquaintance.isOld(this.#announced);
    }
    const kept = before.filter((one) => planeName(one) !== name && canStandBeside(one, plane));
    const isSame = before[0] !== undefined && planeName(before[0]) === name;
    this.#set([plane, ...kept.slice(0, MOST_FORMER)]);
    if (!isSame) this.#ready.delete(name);
    if (this.#find(this.#announced) === undefined) this.#announced = name;
  }

  /**
   * An agent that is started again finds the planes that it had, and its lease as it was. Without one there is nobody who
   * would send by a former plane.
   */
  resume(
    former: readonly Plane[],
    { lease, host, encrypt }: { lease: Lease | undefined; host: Host; encrypt: boolean | undefined },
  ): void {
    const [plane] = this.#planes;
    const others = planesStillNeeded(plane, former, { lease, host, encrypt });
    this.#set([plane, ...others]);
    for (const one of others) this.#ready.add(planeName(one));
    this.#sends = new Set(others.map(planeName));
    const said = this.#planes.find((one) => lease !== undefined && announces(lease, one, host));
    if (said !== undefined) this.#announced = planeName(said);
  }

  /** Takes in, before the first plan, whom the kernel has met that an agent before this one left. */
  recall(met: ReadonlySet<string>): void {
    for (const peer of met) this.#met.add(peer);
  }

  /** Takes up one that others have not left yet, beside those that there are. What this host says of it waits for {@link look}. */
  learn(plane: Plane): void {
    this.#set([...this.#planes, plane]);
  }

  /** What the lease is to say of how this host is reached. */
  announcement(host: Host) {
    const announced = this.#find(this.#announced)!;
    const others = this.#planes.filter((one) => one !== announced && this.#ready.has(planeName(one)));
    if (others.length === 0) return announcementOn(announced, host);
    const otherPlanes = others.map((one): OtherPlane => ({
      ...announcementOn(one, host),
      sends: this.#sends.has(planeName(one)),
      ...this.#acquaintance.words,
    }));
    return { ...announcementOn(announced, host), otherPlanes };
  }

  /**
   * Takes in what this host's lease says, before the next plan is made. What was said counts only once all is known that
   * others had said before: they may have taken down by then what nobody seemed to need.
   */
  heard(own: Lease | undefined, { host, revision }: { host: Host; revision: number }): void {
    this.#acquaintance.storeIsAt(revision);
    const isCurrent = revision >= (own?.revision ?? 0);
    if (own === undefined || !isCurrent || this.#planes.length === 1) return;
    const said = this.#planes.filter((one) =>
      announces(own, one, host) ||
      own.otherPlanes?.some((other) => other.sends && announces(other, one, host))
    );
    this.#said = new Set(said.map(planeName));
    this.#acquaintance.announced(said, { own, host });
  }

  /** Milliseconds until it is to be looked whether peers have met this host; Infinity where it waits for none. */
  nextIn(): number {
    return this.#strangers.nextIn();
  }

  /** Goes as far as it can. Returns whether there is something to announce or to plan anew. */
  look({ report, view, host, met }: Outcome): boolean {
    if (this.#planes.length === 1) return false;
    const before = JSON.stringify([this.announcement(host), this.#planes.length, this.#met.size]);
    this.recall(met);
    const [present] = this.#planes;
    const standing = view.own === undefined
      ? []
      : this.#planes.filter((one) => stands(report, this.#standOf(one, { view, host })));
    for (const one of standing) this.#ready.add(planeName(one));
    if (standing.includes(present)) this.#announced = planeName(present);
    this.#sends = this.#sendsBy({ report, view, host });
    if (isSure(report)) this.#acquaintance.tookIn(view.peers);
    this.#set([present, ...this.#planes.slice(1).filter((one) => this.#isNeeded(one, { view, host }))]);
    if (this.#planes.length > 1) {
      this.#strangers.judge(view.peers, this.#carriers({ view, host }), report.resynced);
    }
    return JSON.stringify([this.announcement(host), this.#planes.length, this.#met.size]) !== before;
  }

  /** Beside the present plane another one has no route to the whole network: it has one for each of its peers instead. */
  #standOf(plane: Plane, { view, host }: Pick<Outcome, "view" | "host">): readonly KernelObject[] {
    const objects = standOf(plane, view, host);
    if (plane === this.#planes[0]) return [...objects, ...admittedBy(this.#planes, view, host)];
    return objects.filter((object) => object.kind !== "route" || isBarrier(object));
  }

  /** Undefined while the network does not move. */
  move({ view, host }: Pick<Outcome, "view" | "host">): Move | undefined {
    const [present, ...former] = this.#planes;
    if (former.length === 0) return undefined;
    const leases = [...view.own === undefined ? [] : [view.own], ...view.peers];
    const strangers = new Set(this.#strangers.subnets);
    const waiting = leases.filter((lease) => !announces(lease, present, host) || strangers.has(lease.subnet));
    return {
      from: former.map(({ backend }) => backend.type),
      to: present.backend.type,
      moved: leases.length - waiting.length,
      waiting: waiting.map(({ subnet }) => subnet),
    };
  }

  /** Where the kernel did not do all, routes may still lead over any of them. */
  #sendsBy({ report, view, host }: Omit<Outcome, "met">): Set<string> {
    if (!isSure(report)) return new Set([...this.#sends, ...this.#ready]);
    const planes = this.#planes;
    const carriers = this.#carriers({ view, host });
    const wanted = view.peers.map((lease) => carrierOf(lease, { planes, host, ...FREELY }));
    const used = view.peers.map((lease) => carrierOf(lease, carriers));
    return new Set([...wanted, ...used].map(planeName));
  }

  /** Whether somebody may still send by it. The lease that says that this host has another one must be written, too. */
  #isNeeded(plane: Plane, { view, host }: Pick<Outcome, "view" | "host">): boolean {
    const [present] = this.#planes;
    if (view.own === undefined || !announces(view.own, present, host)) return true;
    if (saysItSends(view.own, plane, host)) return true;
    if (this.#sends.has(planeName(plane))) return true;
    return view.peers.some((lease) => saysItSends(lease, plane, host));
  }

  /** How peers are sent to now. */
  #carriers({ view, host }: Pick<Outcome, "view" | "host">): Carriers {
    const planes = this.#planes;
    const { maySend, isMet } = this.#sending;
    return { planes, host, maySend, hasMet: meetings(view, { planes, host, isMet }) };
  }

  readonly #sending: Sending = {
    maySend: (plane, to) => {
      if (this.#said === undefined) return true;
      if (!this.#said.has(planeName(plane))) return false;
      return to === undefined || this.#acquaintance.isKnownTo(to, plane);
    },
    isMet: (peer) => this.#met.has(peer),
  };

  #find(name: string): Plane | undefined {
    return this.#planes.find((one) => planeName(one) === name);
  }

  #set(planes: Planes): void {
    const names = new Set(planes.map(planeName));
    for (const name of this.#ready) if (!names.has(name)) this.#ready.delete(name);
    this.#acquaintance.keep(names);
    const isSame = this.#planes?.length === planes.length &&
      planes.every((one, i) => one === this.#planes[i]);
    this.#planes = planes;
    if (planes.length === 1) {
      this.#said = undefined;
      this.#met.clear();
      this.#strangers.forget();
    }
    if (isSame) return;
    this.#backend = {
      ...several(planes, this.#sending),
      announce: (_config, host) => this.announcement(host),
    };
  }
}

function frozen(plane: Plane, host: Host): Plane {
  return { ...plane, identity: identityOf(host) };
}

function stands(report: Report, objects: readonly KernelObject[]): boolean {
  return report.error === undefined && objects.every((object) => report.state.get(keyOf(object)) === "ok");
}

/** Whether the kernel has done all that it was told. */
function isSure({ error, failures, waiting }: Report): boolean {
  return error === undefined && failures.length === 0 && waiting.length === 0;
}
