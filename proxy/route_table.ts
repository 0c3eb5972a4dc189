/** The routes of a proxy: what its data plane has, and what is given to the next one. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import { destinationOf, MAX_ROUTES, parseWay, type Way } from "./protocol.ts";
import type { Family } from "../net/ip.ts";

/** After so many routes everybody else gets a turn. */
const TURN = 8192;

export interface ParsedChange {
  readonly put: readonly Way[];
  readonly remove: readonly string[];
}

/** Checks a change as it came; a long one does not keep the process from answering others. Throws `invalid`. */
export async function parseChange(
  { put, remove }: { put: readonly unknown[]; remove: readonly unknown[] },
  { family, clock }: { family: Family; clock: Clock },
): Promise<ParsedChange> {
  return {
    put: await each(put, (way) => parseWay(way, family), clock),
    remove: await each(remove, (destination) => destinationOf(destination, family), clock),
  };
}

async function each<T>(values: readonly unknown[], parse: (value: unknown) => T, clock: Clock): Promise<T[]> {
  const parsed: T[] = [];
  for (const value of values) {
    parsed.push(parse(value));
    if (parsed.length % TURN === 0) await clock.turn();
  }
  return parsed;
}

export class RouteTable {
  readonly #ways = new Map<string, Way>();

  get size(): number {
    return this.#ways.size;
  }

  get ways(): Way[] {
    return [...this.#ways.values()];
  }

  /** Throws `failed` where there would be too many. */
  requireRoom({ put, remove }: ParsedChange): void {
    if (this.size + put.length <= MAX_ROUTES) return;
    const removed = new Set(remove.filter((destination) => this.#ways.has(destination)));
    const added = new Set(
      put.map(([destination]) => destination).filter((one) => removed.has(one) || !this.#ways.has(one)),
    );
    const size = this.size - removed.size + added.size;
    if (size <= MAX_ROUTES) return;
    throw new FlanError(`Cannot have ${size} routes: there is room for ${MAX_ROUTES}`, {
      op: "proxy.change",
      code: "failed",
    });
  }

  /** Removes, then puts. Returns whether that makes a difference. */
  change({ put, remove }: ParsedChange): boolean {
    let differs = false;
    const added = new Set(put.map(([destination]) => destination));
    for (const destination of remove) {
      if (!added.has(destination)) differs = this.#ways.delete(destination) || differs;
    }
    for (const way of put) {
      const [destination, remote, port] = way;
      const before = this.#ways.get(destination);
      differs ||= before?.[1] !== remote || before[2] !== port;
      this.#ways.set(destination, way);
    }
    return differs;
  }

  clear(): void {
    this.#ways.clear();
  }
}
