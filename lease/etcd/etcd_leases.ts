/**
 * etcd's own leases, to which flannel's keys are attached. One is granted for a key and never shared. Whatever is
 * granted in vain or left by its key is revoked, but only when no key is attached to it: a transaction whose
 * reply was lost may have been committed.
 */
import type { Clock } from "../../net/clock.ts";
import { isStoreTrouble } from "../../net/errors.ts";
import { EtcdError, type Gateway, grpc } from "./gateway.ts";
import { badReply, integer } from "./fields.ts";

/** How many marked leases one write looks after: it waits for that. */
const SWEPT = 4;
/** How many are remembered; the others end by their own time. */
const MAX_LOOSE = 1000;

export class EtcdLeases {
  readonly #gateway: Gateway;
  readonly #clock: Clock;
  /** Ids of leases that perhaps no key needs any more. */
  readonly #loose = new Set<string>();

  constructor(gateway: Gateway, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
  }

  /** Grants a lease of `ttl` seconds and returns its id. Whoever does not use it gives it to {@link drop}. */
  async grant(ttl: number): Promise<string> {
    // The id is chosen here, so that a grant whose reply was lost can be repeated and found.
    const id = randomId(this.#clock);
    try {
      await this.#gateway.call("lease/grant", { ID: id, TTL: String(ttl) });
    } catch (error) {
      if (error instanceof EtcdError && /lease already exists/.test(error.message)) return id;
      // What etcd itself refuses it has not granted.
      if (!(error instanceof EtcdError)) this.drop(id);
      throw error;
    }
    return id;
  }

  /** Gives the lease its whole time again and returns that, in seconds; 0 where it is over. */
  async keepAlive(id: string): Promise<number> {
    const { TTL } = await this.#gateway.call("lease/keepalive", { ID: id });
    return Math.max(0, integer(TTL, "the TTL"));
  }

  /** Marks a lease that perhaps no key needs any more. */
  drop(id: string): void {
    if (id === "0") return;
    // The latest comes last, so that the longest known goes first.
    this.#loose.delete(id);
    this.#loose.add(id);
    if (this.#loose.size > MAX_LOOSE) this.#loose.delete(this.#loose.values().next().value!);
  }

  /**
   * Revokes the latest of the dropped leases, where nothing is attached to them. One that etcd cannot be asked about
   * stays marked.
   */
  async sweep(): Promise<void> {
    for (const id of [...this.#loose].slice(-SWEPT)) {
      try {
        if (await this.#isEmpty(id)) await this.#gateway.call("lease/revoke", { ID: id });
      } catch (error) {
        if (!(error instanceof EtcdError) && !isStoreTrouble(error)) throw error;
        if (!(error instanceof EtcdError) || error.code !== grpc.notFound) return;
      }
      this.#loose.delete(id);
    }
  }

  async #isEmpty(id: string): Promise<boolean> {
    const { keys } = await this.#gateway.call("lease/timetolive", { ID: id, keys: true });
    if (keys !== undefined && !Array.isArray(keys)) throw badReply("the list of a lease's keys", keys);
    return keys === undefined || keys.length === 0;
  }
}

/** 63 random bits, as etcd's signed ids want them; 0 means none. */
function randomId(clock: Clock): string {
  const bytes = clock.randomBytes(8);
  const id = new DataView(bytes.buffer).getBigUint64(0) >> 1n;
  return String(id === 0n ? 1n : id);
}
