/** Everything there is in one run: a clock, an etcd, hosts, and the story of what happened to them. */
import { keyOf } from "../../kernel/state.ts";
import type { Json } from "../../net/json.ts";
import { type Backup, FakeEtcd } from "../lib/fake_etcd.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { MemoryDisk } from "../lib/memory_disk.ts";
import { Administrator } from "./administrator.ts";
import { WorldClock } from "./clock.ts";
import { SimHost } from "./host.ts";
import { Invariants } from "./invariants.ts";
import { network } from "./setting.ts";
import { Stall } from "./stall.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly config?: { readonly [key: string]: Json };
  readonly backend?: "udp" | "vxlan";
}

export class World implements Disposable {
  readonly seed: number;
  readonly config: { readonly [key: string]: Json };
  /** The config's. */
  readonly backend: "udp" | "vxlan";
  readonly clock: WorldClock;
  readonly chance: FakeClock;
  readonly disk = new MemoryDisk();
  readonly stall = new Stall();
  readonly etcd: FakeEtcd;
  readonly admin: Administrator;
  readonly invariants: Invariants;
  readonly hosts: SimHost[] = [];
  readonly story: string[] = [];
  readonly backups: Backup[] = [];
  /** Whether there are fewer subnets than hosts. */
  isFull = false;
  /** Whether flan's own words were deleted, or did not fit their lease any more, once. */
  wordless = false;
  isOver = false;
  /** Grows whenever all faults end. */
  epoch = 0;
  #failure: Error | undefined;

  constructor({ seed, config = network, backend = "vxlan" }: WorldOptions) {
    this.seed = seed;
    this.config = { ...config, Backend: { Type: backend } };
    this.backend = backend;
    this.clock = new WorldClock({ seed });
    this.chance = new FakeClock({ seed: seed + 7_000_000 });
    this.etcd = new FakeEtcd(this.clock);
    this.admin = new Administrator(this.etcd);
    this.invariants = new Invariants(this);
    this.clock.isBusy = () => this.disk.isLocked;
    this.clock.settled = () => this.isOver || this.invariants.check();
    this.admin.put("config", this.config);
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    for (const host of this.hosts) host.kill();
    this.disk[Symbol.dispose]();
  }

  host(n: number): SimHost {
    const host = new SimHost(this, n);
    this.hosts.push(host);
    return host;
  }

  tell(what: string): void {
    this.story.push(`${(this.clock.monotonic() / 1000).toFixed(3)} ${what}`);
  }

  /** Notes what must not be; {@link pass} throws it. */
  fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.tell(`FAILED: ${why}`);
    this.#failure = new Error(why);
  }

  /** Lets time pass. Throws what {@link fail} was told. */
  async pass(ms: number): Promise<void> {
    await this.clock.turn();
    // In pieces, so that a run that has failed ends soon.
    for (let left = ms; left > 0 && this.#failure === undefined; left -= 1000) {
      await this.clock.advance(Math.min(left, 1000));
      this.invariants.checkKernels();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async start(): Promise<void> {
    for (const host of this.hosts) host.start();
    await this.clock.turn();
  }

  /** Ends a fault when `ms` have passed, unless {@link heal} was faster. */
  later(ms: number, work: () => void): void {
    const { epoch } = this;
    this.clock.sleep(ms).then(() => this.isOver || this.epoch !== epoch || work());
  }

  pick<T>(from: readonly T[]): T {
    return from[this.chance.random(from.length)]!;
  }

  /** Everything that there is in the end, as text. */
  get state(): string {
    const keys = this.etcd.keys.range({ start: "", end: "\0" }, 0).map(({ key, mod, lease, wire }) =>
      `${key} ${mod} ${lease} ${atob(String(wire.value ?? ""))}`
    );
    const kernels = this.hosts.map(({ name, stack }) => `${name}: ${[...stack.read()].map(keyOf).sort()}`);
    const logs = this.hosts.flatMap(({ name, log }) =>
      log.map(({ at, message }) => `${name} ${at} ${message}`)
    );
    return [...keys, ...kernels, ...logs].join("\n");
  }
}
