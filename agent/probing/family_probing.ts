/** The agent's probes by one family: answers those of other hosts, watches peers, and measures when somebody asks. */
import type { PeerPlan } from "../../backends/backend.ts";
import type { Clock } from "../../net/clock.ts";
import { KernelError, messageOf } from "../../net/errors.ts";
import { placeOf } from "../../net/place.ts";
import { Session } from "../../probe/session.ts";
import type { OpenProbeSocket } from "../../probe/socket.ts";
import type { Survey } from "../../probe/survey.ts";
import { type PeerState, PeerWatch } from "../../probe/watch.ts";
import type { Found, Judgement } from "../health/health.ts";
import { judgePeers } from "../health/peer_health.ts";
import { SignsOfLife } from "./signs_of_life.ts";
import {
  largestPacket,
  mayWatch,
  type Measurable,
  ownAddress,
  probeAddress,
  targetOf,
  targetsOf,
} from "./targets.ts";

export interface ProbingParts {
  readonly open: OpenProbeSocket;
  /** The UDP port, the same on all hosts. */
  readonly port: number;
  readonly clock: Clock;
  /** The path MTU that the kernel was told for packets from `source` to an address, or 0. */
  readonly toldMtu: (address: string, query: { readonly source: string }) => Promise<number>;
  readonly judge: (judgement: Judgement) => void;
}

export class FamilyProbing {
  readonly #parts: ProbingParts;
  readonly #watch: PeerWatch;
  readonly #signs: SignsOfLife;
  #session: Session | undefined;
  /** Ends what belongs to the session: the watch, and with `#running` what it still does. */
  #over = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #now: Measurable | undefined;
  /** One survey at a time; the next one waits. */
  #turn: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  /** `afterBoot`: whether the host was in the network before it booted. */
  constructor(parts: ProbingParts, { afterBoot }: { afterBoot: boolean }) {
    this.#parts = parts;
    this.#signs = new SignsOfLife({ afterBoot });
    this.#watch = new PeerWatch(parts.clock, () => this.#judge());
  }

  /** What the watch knows of each peer, by its subnet. */
  get peers(): ReadonlyMap<string, PeerState> {
    const states = new Map(this.#watch.states.map((state) => [state.address, state]));
    return new Map(this.#peers.flatMap(({ lease }) => {
      const state = states.get(probeAddress(lease, this.#device));
      return state === undefined ? [] : [[lease.subnet, state] as const];
    }));
  }

  /** Takes in what there is now. Nothing of this is the loop's concern: what cannot be probed is told as a problem. */
  follow(now: Measurable): void {
    this.#now = now;
    const { plan, device } = now;
    this.#signs.look(plan.peers.map(({ lease }) => lease));
    const address = this.#isStopped ? undefined : ownAddress(now);
    if (address !== this.#session?.at.address) this.#close();
    if (address === undefined) this.#tell([]);
    else if (this.#session === undefined) this.#open(address);
    const targets = targetsOf(plan, device);
    this.#session?.follow({ targets, mtu: largestPacket(now) });
    this.#watch.follow(mayWatch(plan) && this.#session !== undefined ? targets : []);
    this.#judge();
  }

  /** The network has this family no more. */
  leave(): void {
    if (this.#now !== undefined) this.follow({ ...this.#now, own: undefined });
  }

  /** Measures between this host and some of its peers, or between all of them. Undefined where nothing can be probed. */
  async survey(peers: readonly PeerPlan[], { all }: { all: boolean }): Promise<Survey | undefined> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      const targets = peers.map(({ lease }) => targetOf(lease, this.#device));
      return await this.#session?.survey(targets, { all });
    } finally {
      resolve();
    }
  }

  /** Ends when everything is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#close();
    await this.#running;
  }

  get #peers(): readonly PeerPlan[] {
    return this.#now?.plan.peers ?? [];
  }

  get #device(): string {
    return this.#now?.device ?? "";
  }

  #open(address: string): void {
    const { open, port, clock, toldMtu } = this.#parts;
    const at = { address, port };
    try {
      const session = new Session(open(at), { at, clock, toldMtu: (to) => toldMtu(to, { source: address }) });
      this.#session = session;
      this.#over = new AbortController();
      const before = this.#running;
      // A socket that cannot be waited for hears nobody: it is opened anew when the loop turns.
      const failed = (error: unknown) => {
        if (this.#session !== session) return;
        this.#close();
        this.#tell([this.#unable(address, error)]);
      };
      const receiving = session.run().catch(failed);
      this.#running = Promise.all([before, receiving, this.#watch.run(session, this.#over.signal)]);
      this.#tell([]);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // An address that is not there has its own reason, which is told in its own name, and comes with the device.
      this.#tell(error.errno === "EADDRNOTAVAIL" ? [] : [this.#unable(address, error)]);
    }
  }

  #unable(address: string, error: unknown): Found {
    return {
      code: "probe-port",
      subject: placeOf({ hostname: address, port: this.#parts.port }),
      message: messageOf(error),
    };
  }

  #tell(found: readonly Found[]): void {
    this.#parts.judge({ codes: ["probe-port"], found });
  }

  #close(): void {
    this.#over.abort();
    this.#session?.close();
    this.#session = undefined;
  }

  #judge(): void {
    this.#parts.judge(
      judgePeers(this.#peers, {
        states: this.peers,
        isAlive: (lease) => this.#signs.has(lease),
        half: this.#now?.isHalf ? this.#now.own : undefined,
      }),
    );
  }
}
