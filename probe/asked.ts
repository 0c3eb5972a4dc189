/** Measures for others: one question at a time, for members only, about members only. */
import { familyOf } from "../net/ip.ts";
import type { Measurement, Target } from "./measure.ts";
import { encode, type Packet, PAGE, type Result } from "./packet.ts";
import type { ProbeSocket, Remote } from "./socket.ts";

/** So many hosts are measured for one question. */
export const MAX_MEASURED = 256;

type Question = Extract<Packet, { kind: "question" }>;
type Answer = Extract<Packet, { kind: "answer" }>;

export interface AskedInit {
  readonly socket: ProbeSocket;
  readonly targets: () => ReadonlyMap<string, Target>;
  readonly measure: (target: Target, round: number) => Promise<Measurement>;
  /** How many probes of a round came from an address. */
  readonly heard: (address: string, round: number) => number;
}

interface Job {
  readonly asker: string;
  readonly round: number;
  /** Undefined while it is under way. */
  results: readonly Result[] | undefined;
}

export class Asked {
  readonly #init: AskedInit;
  /** The last one, which is told again to whoever asks for it. */
  #job: Job | undefined;

  constructor(init: AskedInit) {
    this.#init = init;
  }

  /** Answers a member's question: the first one begins the measurement, later ones ask how far it is. */
  take(question: Question, from: Remote): void {
    const { token, round, page } = question;
    const part = this.#part(question, from.address);
    const packet: Answer = { kind: "answer", token, round, page, pages: 0, results: [], ...part };
    const of = { family: familyOf(from.address) };
    this.#init.socket.sendDatagram(encode(packet, of), from);
  }

  #part(question: Question, asker: string): Pick<Answer, "state"> & Partial<Answer> {
    const { round, page } = question;
    const job = this.#job;
    if (job?.asker === asker && job.round === round) {
      if (job.results === undefined) return { state: "working" };
      const length = PAGE[familyOf(asker)];
      const results = job.results.slice(page * length, (page + 1) * length).map((one) => ({
        ...one,
        // What was heard only after the own measurement was over counts as well.
        heard: this.#init.heard(one.address, round),
      }));
      return { state: "done", pages: Math.ceil(job.results.length / length), results };
    }
    if (job !== undefined && job.results === undefined) return { state: "busy" };
    const targets = this.#wanted(question);
    if (targets.length > MAX_MEASURED) return { state: "refused" };
    this.#begin({ asker, round, results: undefined }, targets);
    return { state: "working" };
  }

  #wanted({ targets }: Question): Target[] {
    const known = this.#init.targets();
    return targets.length === 0 ? [...known.values()] : targets.flatMap((one) => known.get(one) ?? []);
  }

  #begin(job: Job, targets: readonly Target[]): void {
    this.#job = job;
    Promise.all(targets.map((target) => this.#init.measure(target, job.round))).then(
      (results) => job.results = results,
      // The socket was closed meanwhile, most likely: whoever asks again gets a new measurement.
      () => this.#job = undefined,
    );
  }
}
