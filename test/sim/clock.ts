/** Virtual time for the whole simulation, and what one process sees of it. */
import type { Clock } from "../../net/clock.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import type { Gate } from "./gate.ts";

/** Goes on only when nobody asks the event loop for a turn any more; nothing else than turns is ever waited for. */
export class WorldClock extends FakeClock {
  /** Called when everything rests. */
  settled: () => void = () => {};
  /** Whether a process is at what takes it no time of this clock, and real time all the same: to derive a key. */
  isBusy: () => boolean = () => false;
  #turns = 0;

  /** A turn for one of the processes. */
  async give(): Promise<void> {
    this.#turns++;
    await super.turn();
    this.#turns--;
  }

  override async turn(): Promise<void> {
    do await super.turn(); while (this.#turns > 0 || this.isBusy());
    this.settled();
  }

  /** After the last sleep that ended everything came to rest already. */
  protected override passed(): Promise<void> {
    this.settled();
    return Promise.resolve();
  }
}

/** The wall clock of one machine. */
export interface WallClock {
  /** Milliseconds by which it is ahead. */
  offset: number;
}

export class ProcessClock implements Clock {
  readonly #world: WorldClock;
  readonly #wall: WallClock;
  readonly #chance: FakeClock;
  readonly #gate: Gate;

  constructor(world: WorldClock, { wall, chance, gate }: { wall: WallClock; chance: FakeClock; gate: Gate }) {
    this.#world = world;
    this.#wall = wall;
    this.#chance = chance;
    this.#gate = gate;
  }

  now(): number {
    return this.#world.now() + this.#wall.offset;
  }

  monotonic(): number {
    return this.#world.monotonic();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#world.sleep(ms, signal);
    await this.#gate.pass();
  }

  turn(): Promise<void> {
    return this.#gate.through(this.#world.give());
  }

  random(bound: number): number {
    return this.#chance.random(bound);
  }

  randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return this.#chance.randomBytes(length);
  }
}
