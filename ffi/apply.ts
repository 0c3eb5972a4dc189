/** Carries changes out: encodes them in order, sends them in batches, and matches failures to changes. */
import { FlanError, KernelError } from "../net/errors.ts";
import type { Clock } from "../net/clock.ts";
import type { Change, Failure } from "../kernel/kernel.ts";
import { errnoNumber } from "./errno.ts";
import { applyLink, findLink, missingLink } from "./link_changes.ts";
import { type Answer, changeError } from "./netlink_error.ts";
import { BATCH_BYTES, type NetlinkRequests } from "./netlink_requests.ts";
import { encodeAddress } from "./rtnetlink/address.ts";
import type { EncodeContext } from "./rtnetlink/context.ts";
import { encodeFdb, encodeNeighbour } from "./rtnetlink/neighbour.ts";
import { encodeNexthop } from "./rtnetlink/nexthop.ts";
import { encodeRoute } from "./rtnetlink/route.ts";
import { writeSysctl } from "./sysctl.ts";

/** Answers to a deletion that mean "it is not there", which is what was wanted. */
const gone: ReadonlySet<number> = new Set(
  ["ENOENT", "ESRCH", "EADDRNOTAVAIL", "ENODEV"].map((name) => errnoNumber(name)!),
);

/** One `apply` of {@link Kernel}; see there. */
export class Application {
  readonly #requests: NetlinkRequests;
  readonly #clock: Clock;
  readonly #failures: (Failure & { readonly position: number })[] = [];
  readonly #batch = new Uint8Array(BATCH_BYTES);
  #used = 0;
  #offsets: number[] = [];
  #positions: number[] = [];
  #changes: readonly Change[] = [];
  /** Indexes of links, until one of them is changed. */
  readonly #indexes = new Map<string, number>();
  readonly #context: EncodeContext;

  constructor(requests: NetlinkRequests, clock: Clock) {
    this.#requests = requests;
    this.#clock = clock;
    this.#context = { message: requests.builder, indexOf: (name) => this.#indexOf(name) };
  }

  async run(changes: readonly Change[]): Promise<readonly Failure[]> {
    this.#changes = changes;
    for (const [position, change] of changes.entries()) {
      const { object } = change;
      if (object.kind === "link" || object.kind === "sysctl") {
        this.#flush();
        this.#alone(position, change);
      } else if (this.#encoded(position, change) && !this.#queued(position)) {
        this.#flush();
        await this.#clock.turn();
        this.#append(position, this.#requests.builder.finish());
      }
    }
    this.#flush();
    return this.#failures.toSorted((a, b) => a.position - b.position)
      .map(({ change, error }) => ({ change, error }));
  }

  /** What is not one message of a batch. */
  #alone(position: number, { verb, object }: Change): void {
    this.#attempt(position, () => {
      if (object.kind === "link") {
        this.#indexes.clear();
        this.#judge(position, applyLink(this.#requests, verb, object));
      } else if (object.kind === "sysctl" && verb !== "delete") {
        // There is no such thing as deleting a sysctl: it goes with its link.
        this.#judge(position, writeSysctl(object));
      }
    });
  }

  /** Leaves the change's message in the builder; false where it could not be encoded. */
  #encoded(position: number, { verb, object }: Change): boolean {
    return this.#attempt(position, () => {
      switch (object.kind) {
        case "address":
          return encodeAddress(verb, object, this.#context);
        case "nexthop":
          return encodeNexthop(verb, object, this.#context);
        case "neighbour":
          return encodeNeighbour(verb, object, this.#context);
        case "fdb":
          return encodeFdb(verb, object, this.#context);
        case "route":
          return encodeRoute(verb, object, this.#context);
        case "proxy":
        case "proxy-route":
        case "encap-socket":
        case "hook":
          throw new KernelError("It is no part of the kernel", "EOPNOTSUPP", { op: "kernel.apply" });
      }
    });
  }

  /** False where the batch has no room left for the builder's message. */
  #queued(position: number): boolean {
    const bytes = this.#requests.builder.finish();
    if (this.#used + bytes.length > BATCH_BYTES) return false;
    this.#append(position, bytes);
    return true;
  }

  #append(position: number, bytes: Uint8Array): void {
    this.#batch.set(bytes, this.#used);
    this.#offsets.push(this.#used);
    this.#positions.push(position);
    // nlmsg_len is a multiple of 4 already: libnl pads what it appends.
    this.#used += bytes.length;
  }

  #flush(): void {
    if (this.#used === 0) return;
    const answers = this.#requests.transact(this.#batch.subarray(0, this.#used), this.#offsets);
    answers.forEach((answer, i) => this.#judge(this.#positions[i]!, answer));
    this.#used = 0;
    this.#offsets = [];
    this.#positions = [];
  }

  #judge(position: number, answer: Answer): void {
    if (answer.errno === 0) return;
    const change = this.#changes[position]!;
    if (change.verb === "delete" && gone.has(answer.errno)) return;
    this.#failures.push({ position, change, error: changeError(change, answer) });
  }

  /** Runs `body`; an error of the object itself becomes the change's failure. */
  #attempt(position: number, body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      const errno = error instanceof KernelError ? errnoNumber(error.errno) : errnoNumber("EINVAL");
      const text = error instanceof KernelError && error.errno === "ENODEV" ? "" : error.message;
      this.#judge(position, { errno: errno ?? errnoNumber("EINVAL")!, text });
      return false;
    }
  }

  #indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const link = findLink(this.#requests, name);
    if (link === undefined) throw missingLink(name);
    this.#indexes.set(name, link.index);
    return link.index;
  }
}
