/** The agent's probes by each family that the network has, which know nothing of each other. */
import type { PeerPlan } from "../../backends/backend.ts";
import type { Family } from "../../net/ip.ts";
import type { Survey } from "../../probe/survey.ts";
import type { PeerState } from "../../probe/watch.ts";
import type { Judgement } from "../health/health.ts";
import { FamilyProbing, type ProbingParts } from "./family_probing.ts";
import type { Measurable } from "./targets.ts";

export class Probing {
  readonly #parts: ProbingParts;
  readonly #families = new Map<Family, FamilyProbing>();
  /** By the codes that are judged, and by family: a family's judgement says nothing of the other's problems. */
  readonly #judgements = new Map<string, Map<Family, Judgement>>();
  #afterBoot = false;
  #isStopped = false;

  constructor(parts: ProbingParts) {
    this.#parts = parts;
  }

  /** What the watch knows of each peer, by its subnet of each family. */
  get peers(): ReadonlyMap<string, PeerState> {
    return new Map([...this.#families.values()].flatMap(({ peers }) => [...peers]));
  }

  /** Before the first {@link follow}. `afterBoot`: whether the host was in the network before it booted. */
  begin({ afterBoot }: { afterBoot: boolean }): void {
    this.#afterBoot = afterBoot;
  }

  /** Takes in what there is now to measure by each family. */
  follow(halves: readonly Measurable[]): void {
    if (this.#isStopped) return;
    for (const [family, probing] of this.#families) {
      if (!halves.some((half) => half.family === family)) probing.leave();
    }
    for (const half of halves) this.#of(half.family).follow(half);
  }

  /**
   * Measures by a family between this host and some of its peers of that family, or between all of them. Undefined where
   * nothing can be probed by it.
   */
  async survey(
    family: Family,
    peers: readonly PeerPlan[],
    { all }: { all: boolean },
  ): Promise<Survey | undefined> {
    return await this.#families.get(family)?.survey(peers, { all });
  }

  /** Ends when everything is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#families.values()].map((probing) => probing.stop()));
  }

  #of(family: Family): FamilyProbing {
    const judge = (judgement: Judgement) => this.#judge(family, judgement);
    const probing = this.#families.get(family) ??
      new FamilyProbing({ ...this.#parts, judge }, { afterBoot: this.#afterBoot });
    this.#families.set(family, probing);
    return probing;
  }

  #judge(family: Family, judgement: Judgement): void {
    const { codes } = judgement;
    const judgements = this.#judgements.get(codes.join()) ?? new Map<Family, Judgement>();
    this.#judgements.set(codes.join(), judgements.set(family, judgement));
    this.#parts.judge({ codes, found: [...judgements.values()].flatMap(({ found }) => found) });
  }
}
