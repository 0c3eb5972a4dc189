/** A machine of the simulation: its kernel and disk outlive the agents that run on it, one after another. */
import { Agent } from "../../agent/agent.ts";
import type { AgentOptions } from "../../agent/parts.ts";
import { ensureHostState } from "../../agent/host_state.ts";
import { IpsecLedger } from "../../agent/ipsec_ledger.ts";
import { HostSecrets } from "../../agent/secrets.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, sameObject } from "../../kernel/state.ts";
import { EtcdStore } from "../../lease/etcd/etcd_store.ts";
import { release } from "../../lease/release.ts";
import { FlanError, messageOf } from "../../net/errors.ts";
import type { Fields, Level, Logger } from "../../net/log.ts";
import { keyText } from "../../net/wireguard_key.ts";
import { defaultRoute, underlayStack } from "../lib/agents.ts";
import { withIpv6 } from "../lib/dual_agents.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { privateKeyOf } from "../lib/fake_wireguard.ts";
import type { FakeKernel } from "../lib/fake_kernel.ts";
import type { FakeStack } from "../lib/fake_stack.ts";
import { FakeXfrm } from "../lib/fake_xfrm.ts";
import type { FakeGateway, Reach } from "../lib/fake_gateway.ts";
import { ProcessClock } from "./clock.ts";
import { GatedKernel } from "./gated_kernel.ts";
import { Gate } from "./gate.ts";
import { Link } from "./link.ts";
import { PREFIX, TTL } from "./setting.ts";
import type { World } from "./world.ts";

/** Somebody's own, from before flan came: no peer is ever in their place. */
const foreign: readonly KernelObject[] = [
  { ...defaultRoute, destination: "10.5.255.0/24" },
  { ...defaultRoute, destination: "172.16.0.0/12" },
  {
    kind: "neighbour",
    link: "eth0",
    ip: "192.0.2.254",
    mac: "02:00:00:00:00:fe",
    state: "permanent",
    protocol: 0,
  },
  { kind: "link", name: "br0", type: "bridge", alias: "", mac: "02:00:00:00:00:bb", mtu: 1500, up: true },
];

const foreignKeys = foreign.map(keyOf);

const CONFIG = `${PREFIX}/config`;

/** Milliseconds until whoever starts a process that ended starts it again (`RestartSec`). */
const RESTART_MS = 5000;

/** One line of a host's log. */
export interface Told {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly message: string;
  readonly fields: Fields;
  /** Which of the host's processes said it. */
  readonly process: number;
}

/** One process: it ends by being killed only, and comes again when it cannot join. */
export interface Life {
  readonly gate: Gate;
  readonly link: Link;
  readonly gateway: FakeGateway;
  readonly kernel: FakeKernel;
  agent: Agent;
  /** Whether it has joined. */
  running: boolean;
  /** Takes its sleeps and streams away. */
  readonly end: () => void;
}

export class SimHost {
  readonly n: number;
  readonly log: Told[] = [];
  readonly wall = { offset: 0 };
  readonly chance: FakeClock;
  stack!: FakeStack;
  xfrm!: FakeXfrm;
  life: Life | undefined;
  /** Errors that joins ended with, by code. */
  readonly refusals = new Map<string, number>();
  /** The subnet of the agent of now, when it was looked at last. */
  lastSubnet: string | undefined;
  /** Whether it is to run: a process that cannot join is then started again. */
  wanted = true;
  readonly #world: World;
  #reach: Reach = "well";
  /** Why it could not join the last time. */
  #told = "";
  #processes = 0;

  constructor(world: World, n: number) {
    this.#world = world;
    this.n = n;
    this.chance = new FakeClock({ seed: world.seed * 1000 + n });
    // Known ones: computing the public half of a new one takes time that no virtual clock tells.
    for (const [file, key] of [["wireguard", n], ["wireguard-v6", 100 + n]] as const) {
      world.disk.put(`${this.dir}/${file}.key`, `${keyText(privateKeyOf(key))}\n`);
    }
    this.boot();
  }

  get name(): string {
    return `host ${this.n}`;
  }

  get dir(): string {
    return `${this.#world.disk.root}/${this.n}`;
  }

  /** The agent of now, when it has joined and is not dead. */
  get agent(): Agent | undefined {
    return this.life?.running ? this.life.agent : undefined;
  }

  get subnet(): string | undefined {
    return this.agent?.state.own?.subnet;
  }

  get codes(): string[] {
    return this.agent?.health.list().map(({ code }) => code) ?? [];
  }

  get inTouch(): boolean {
    // A store without a network is as good as none.
    return this.life !== undefined && this.life.running && this.life.link.inTouch &&
      this.#world.etcd.keys.get(CONFIG) !== undefined;
  }

  /** How its network reaches etcd. */
  set reach(reach: Reach) {
    this.#reach = reach;
    if (this.life !== undefined) this.life.link.reach = reach;
  }

  get reach(): Reach {
    return this.#reach;
  }

  /** A kernel as after a boot, with what others put there. */
  boot(): void {
    const stack = underlayStack(this.n);
    this.stack = this.#world.config["EnableIPv6"] === true ? withIpv6(stack, this.n) : stack;
    for (const object of foreign) this.stack.add(object);
    this.xfrm = new FakeXfrm(this.stack);
  }

  /** What is not flan's and is not any more as it was. */
  get spoiled(): KernelObject | undefined {
    return foreign.find((object, i) => {
      const found = this.stack.objects.get(foreignKeys[i]!);
      return found !== object && (found === undefined || !sameObject(found, object));
    });
  }

  start(): void {
    if (this.life === undefined) this.#begin();
  }

  /** The process is gone without a word; what it sent is on its way. */
  kill(): void {
    const { life } = this;
    if (life === undefined) return;
    this.life = undefined;
    this.lastSubnet = undefined;
    life.running = false;
    life.gate.shut();
    life.end();
  }

  /** Stops, gives its lease back with a command of its own, and leaves nothing in the kernel. */
  leave(): void {
    const { agent } = this;
    if (agent === undefined) return;
    const { node } = agent.state.host;
    this.kill();
    this.boot();
    const { store, link, own } = this.#process();
    const done = () => link.close();
    // What the store refuses, the lease's end takes away.
    release(store, { node }, { clock: own }).then(done, done);
  }

  /** What a process on this host is made of. */
  #process() {
    const { clock, etcd, stall } = this.#world;
    const gate = new Gate();
    const gateway = etcd.gateway();
    const revoking = (id: string) => {
      const keys = [...etcd.leases.get(id)?.keys ?? []];
      if (keys.length > 0) this.#world.fail(`${this.name} revokes the lease of ${keys}`);
    };
    const link = new Link({ gateway, clock, chance: this.chance, gate, stall, revoking });
    link.reach = this.#reach;
    const own = new ProcessClock(clock, { wall: this.wall, chance: this.chance, gate });
    const log = this.#logger();
    const store = new EtcdStore(link, { url: `etcd://fake:2379${PREFIX}`, prefix: PREFIX, clock: own, log });
    return { gate, gateway, link, own, log, store };
  }

  #begin(): void {
    const { gate, gateway, link, own, log, store } = this.#process();
    const secrets = new HostSecrets(this.dir);
    const ledger = new IpsecLedger(this.dir, own);
    const around = (inner: Kernel) => this.xfrm.over(inner, { secrets, ledger });
    const kernel = new GatedKernel(this.stack, { gate, around });
    const options: AgentOptions = {
      iface: undefined,
      publicIp: undefined,
      publicIp6: undefined,
      mtu: undefined,
      ipMasq: false,
      noMasq: undefined,
      noForwardRules: false,
      txChecksum: "auto",
      stateDir: this.dir,
      leaseTtl: TTL,
      subnetFile: `${this.dir}/subnet.env`,
      sharedSubnetFile: undefined,
    };
    const stop = new AbortController();
    const end = () => {
      kernel.close();
      link.close();
    };
    const life: Life = { gate, link, gateway, kernel: kernel.kernel, agent: undefined!, running: false, end };
    this.life = life;
    const work = async () => {
      const { node } = await ensureHostState(this.dir, own);
      life.agent = new Agent({
        store,
        kernel,
        clock: own,
        log,
        node,
        options,
        secrets,
        runCommand: () => Promise.resolve(""),
      });
      await life.agent.join();
      life.running = true;
      await life.agent.run(stop.signal);
    };
    work().catch((error) => this.#ended(life, error));
  }

  /** A process that ended by itself is started again, as systemd does. */
  #ended(life: Life, error: unknown): void {
    if (this.life !== life) return;
    const defect = life.running || !(error instanceof FlanError);
    if (defect) {
      this.#world.fail(`${this.name}: the agent ended: ${error instanceof Error ? error.stack : error}`);
    }
    const code = (error as FlanError).code;
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    const why = `${this.name} cannot join: ${messageOf(error)}`;
    if (why !== this.#told) this.#world.tell(why);
    this.#told = why;
    this.kill();
    this.#world.clock.sleep(RESTART_MS).then(() => this.wanted && !this.#world.isOver && this.start());
  }

  #logger(): Logger {
    const process = ++this.#processes;
    const log = (level: Level, message: string, fields: Fields = {}) => {
      if (level !== "debug") this.log.push({ at: this.#world.clock.monotonic(), message, fields, process });
    };
    return { log };
  }
}
