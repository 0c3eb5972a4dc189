/** Agents in one process: a memory store they share, a kernel in memory for each, and one clock that stands still. */
import { Agent } from "../../agent/agent.ts";
import { ensureHostState, type HostState } from "../../agent/host_state.ts";
import type { AgentOptions, AgentParts } from "../../agent/parts.ts";
import type { Watcher } from "../../agent/pulse.ts";
import { type KernelObject, keyOf, type Route } from "../../kernel/state.ts";
import type { Lease } from "../../lease/lease.ts";
import { acquire, type Claim, ensureNetwork } from "../../lease/manager.ts";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import type { LeaseRecord, NewRecord, Snapshot, StoredConfig } from "../../lease/store.ts";
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeKernel, hostStack } from "./fake_kernel.ts";
import { macOf } from "./overlay.ts";
import { KeptLog } from "./reconciling.ts";

/** More turns of the event loop than any step takes, file I/O included. */
const MAX_TURNS = 200_000;

/** A clock that goes on only when every agent has come to rest. */
export class LabClock extends FakeClock {
  isQuiet: () => boolean = () => true;

  override async turn(): Promise<void> {
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      await super.turn();
      if (this.isQuiet()) return;
    }
    throw new Error("Cannot go on: an agent does not come to rest");
  }
}

/** One agent's view of the clock, which knows how many of its sleeps are under way. */
class CountingClock implements Clock {
  sleeping = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  now = () => this.#clock.now();
  monotonic = () => this.#clock.monotonic();
  random = (bound: number) => this.#clock.random(bound);
  randomBytes = (length: number) => this.#clock.randomBytes(length);
  turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeping++;
    await this.#clock.sleep(ms, signal);
    this.sleeping--;
  }
}

/** A memory store that can be out of reach, for its readers, writers and watchers alike. */
export class FlakyStore extends MemoryStore {
  reads = 0;
  /** Attempts to change a lease. */
  updates = 0;
  /** Whether it refuses every write. */
  refusing = false;
  /** Whether it has no room for any write. */
  full = false;
  /** Whether its writes are never answered. */
  hanging = false;
  /** Writes that wait for ever. */
  hung = 0;
  /** Whether its watches say nothing. */
  deaf = false;
  #gone: AbortController | undefined;
  #broken = new AbortController();

  get away(): boolean {
    return this.#gone !== undefined;
  }

  set away(away: boolean) {
    if (away === this.away) return;
    this.#gone = away ? this.#broken : undefined;
    if (away) this.#broken.abort();
    else this.#broken = new AbortController();
  }

  override read(): Promise<Snapshot> {
    this.reads++;
    return this.#reach(() => super.read());
  }

  override async *watch(from: number, signal: AbortSignal): AsyncGenerator<Snapshot> {
    if (this.away) throw unreachable();
    if (this.deaf) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    yield* super.watch(from, AbortSignal.any([signal, this.#broken.signal]));
    if (!signal.aborted) throw unreachable();
  }

  override create(lease: NewRecord): Promise<LeaseRecord> {
    return this.#change(() => super.create(lease));
  }

  override update(lease: NewRecord, expected: number): Promise<LeaseRecord> {
    this.updates++;
    return this.#change(() => super.update(lease, expected));
  }

  override renew(key: string, options: { expected: number; ttl: number }): Promise<LeaseRecord> {
    this.updates++;
    return this.#change(() => super.renew(key, options));
  }

  override writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    return this.#reach(() => super.writeConfig(value, expected));
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const refuse = (code: "store" | "store-denied", why: string) =>
      Promise.reject(new FlanError(`Cannot write to the store: ${why}`, { op: "store", code }));
    if (this.hanging) {
      this.hung++;
      return new Promise<T>(() => {});
    }
    if (this.full) return refuse("store", "no space left");
    return this.refusing ? refuse("store-denied", "permission denied") : this.#reach(work);
  }

  #reach<T>(work: () => Promise<T>): Promise<T> {
    return this.away ? Promise.reject(unreachable()) : work();
  }
}

function unreachable(): FlanError {
  return new FlanError("Cannot reach the store: no answer", { op: "store", code: "store" });
}

export const TTL = 3600;
export const vxlanNetwork = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
export const udpNetwork = { Network: "10.5.0.0/16", Backend: { Type: "udp" } };

export const hostGwNetwork = { Network: "10.5.0.0/16", Backend: { Type: "host-gw" } };

/** What the lease of a host-gw peer says beside its address. */
export const hostGwPeer = { backendType: "host-gw", backendData: undefined };

/** What the lease of a udp peer says beside its address. */
export const udpPeer = { backendType: "", backendData: undefined };

/** A host with an underlay, an agent and what is seen of it. `agent` is another one after {@link restart}. */
export class TestHost {
  readonly kernel: FakeKernel;
  readonly store: FlakyStore;
  readonly log = new KeptLog();
  readonly options: AgentOptions;
  /** The boot that it is in. */
  bootId = "00000000-0000-4000-8000-000000000001";
  /** Why it cannot be seen what the network's commands did. */
  hooksTrouble: FlanError | undefined;
  /** Startup commands that were run. */
  readonly commands: string[] = [];
  /** Startup commands that fail. */
  readonly failing = new Set<string>();
  agent!: Agent;
  readonly #network: TestNetwork;
  readonly #watcher: Watcher | undefined;
  readonly #probes: AgentParts["probes"];
  readonly #moved: AgentParts["moved"];
  /** The network's clock; a sleep on it counts as rest of this host. */
  readonly clock: CountingClock;
  #state!: HostState;
  #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(network: TestNetwork, { dir, kernel, watcher, probes, moved, options }: {
    dir: string;
    kernel: FakeKernel;
    watcher: Watcher | undefined;
    probes: AgentParts["probes"];
    moved: AgentParts["moved"];
    options: Partial<AgentOptions>;
  }) {
    this.#network = network;
    this.#watcher = watcher;
    this.#probes = probes;
    this.#moved = moved;
    this.clock = new CountingClock(network.clock);
    this.kernel = kernel;
    this.store = new FlakyStore(network);
    this.options = {
      iface: undefined,
      publicIp: undefined,
      publicIp6: undefined,
      mtu: undefined,
      ipMasq: false,
      noMasq: undefined,
      noForwardRules: false,
      txChecksum: "auto",
      stateDir: dir,
      leaseTtl: TTL,
      subnetFile: `${dir}/subnet.env`,
      sharedSubnetFile: undefined,
      ...options,
    };
  }

  /** Every command says its own name. */
  readonly runCommand = (command: string): Promise<string> => {
    this.commands.push(command);
    if (this.failing.has(command)) {
      return Promise.reject(new FlanError("It failed", { op: "test", code: "failed" }));
    }
    return Promise.resolve(`said by ${command}`);
  };

  get node(): string {
    return this.#state.node;
  }

  get subnet(): string | undefined {
    return this.agent.state.own?.subnet;
  }

  get codes(): string[] {
    return this.agent.health.list().map(({ code }) => code);
  }

  /** Whether nothing but time can make this host do anything. */
  get quiet(): boolean {
    // The loop and the keeper of the lease sleep or wait, while the store is away the feed does, and the probes' watch.
    const waiting = this.clock.sleeping + this.store.hung;
    const others = Number(this.store.away) + Number(this.#probes !== undefined);
    return this.#running === undefined || waiting > 1 + others;
  }

  /** Lines of the log with this code. */
  lines(code: string): string[] {
    return this.log.lines.filter(({ fields }) => fields["code"] === code).map(({ message }) => message);
  }

  /** The subnet.env as it stands, or "" where there is none. */
  get subnetEnv(): string {
    try {
      return Deno.readTextFileSync(this.options.subnetFile);
    } catch {
      return "";
    }
  }

  /** The keys of what stands in this kernel, beside what it had before the agent came. */
  keys(kind?: KernelObject["kind"]): string[] {
    return [...this.kernel.stack.objects.values()].filter((object) =>
      (kind === undefined || object.kind === kind) && !("link" in object && object.link === "eth0")
    ).map(keyOf).filter((key) => key !== "link eth0" && key !== "link lo").sort();
  }

  async join(): Promise<Lease> {
    this.#state = await ensureHostState(this.options.stateDir, this.clock);
    const { store, kernel, clock, log, options } = this;
    this.agent = new Agent({
      store,
      kernel,
      clock,
      log,
      node: this.node,
      options,
      bootId: this.bootId,
      hooksTrouble: () => this.hooksTrouble,
      watcher: this.#watcher,
      probes: this.#probes,
      moved: this.#moved,
      runCommand: this.runCommand,
    });
    return await this.agent.join();
  }

  /** Starts the loop and waits until it rests. */
  async run(): Promise<void> {
    this.#stop = new AbortController();
    this.#running = this.agent.run(this.#stop.signal);
    await this.#network.clock.turn();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#running = undefined;
  }
}

export interface HostInit extends Partial<AgentOptions> {
  readonly kernel?: FakeKernel;
  readonly watcher?: Watcher;
  /** How the network is measured, which it is not unless it is given. */
  readonly probes?: AgentParts["probes"];
  readonly moved?: AgentParts["moved"];
}

export class TestNetwork implements AsyncDisposable {
  readonly clock: LabClock;
  readonly shared = new SharedDocument();
  readonly store: MemoryStore;
  readonly hosts: TestHost[] = [];
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-agents-" });

  private constructor(seed: number) {
    this.clock = new LabClock({ seed });
    this.clock.isQuiet = () => this.hosts.every((host) => host.quiet);
    this.store = new MemoryStore(this);
  }

  static async start(config: Json = vxlanNetwork, seed = 1): Promise<TestNetwork> {
    const network = new TestNetwork(seed);
    await ensureNetwork(network.store, config);
    return network;
  }

  /** A host with 192.0.2.n that has not joined. */
  host(
    n: number,
    { kernel = new FakeKernel(underlayStack(n)), watcher, probes, moved, ...options }: HostInit = {},
  ): TestHost {
    const dir = `${this.dir}/${n}`;
    const host = new TestHost(this, { dir, kernel, watcher, probes, moved, options });
    this.hosts.push(host);
    return host;
  }

  /** A host that has joined and keeps its kernel in step. */
  async joined(n: number, init: HostInit = {}): Promise<TestHost> {
    const host = this.host(n, init);
    await host.join();
    await host.run();
    return host;
  }

  /** Writes the lease of a host that exists in the store only, and waits until all know. */
  async peer(n: number, change: Partial<Claim> = {}): Promise<Lease> {
    const lease = await acquire(this.store, {
      node: `node-${n}`,
      publicIp: `192.0.2.${n}`,
      backendType: "vxlan",
      backendData: { VNI: 1, VtepMAC: macOf(n) },
      ttl: 30 * 24 * 3600,
      ...change,
    }, { clock: this.clock, log: silent });
    await this.clock.turn();
    return lease;
  }

  /** Removes a lease behind its holder's back. */
  async remove(subnet: string): Promise<void> {
    const record = await this.record(subnet);
    await this.store.remove(record!.key, record!.revision);
  }

  async record(subnet: string): Promise<LeaseRecord | undefined> {
    const { records } = await this.store.read();
    return records.find(({ key }) => key === subnet.replace("/", "-"));
  }

  async configure(value: Json): Promise<void> {
    const { config } = await this.store.read();
    await this.store.writeConfig(value, config!.revision);
    await this.clock.turn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()));
    Deno.removeSync(this.dir, { recursive: true });
  }
}

export const defaultRoute: Route = {
  kind: "route",
  destination: "0.0.0.0/0",
  metric: 0,
  link: "eth0",
  gateway: "192.0.2.254",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: 3,
};

/** A stack with eth0, 192.0.2.n/24 and a default route. */
export function underlayStack(n: number) {
  const stack = hostStack();
  if (n !== 1) {
    stack.delete({ kind: "address", link: "eth0", address: "192.0.2.1/24" });
    stack.add({ kind: "address", link: "eth0", address: `192.0.2.${n}/24` });
  }
  stack.add(defaultRoute);
  return stack;
}
