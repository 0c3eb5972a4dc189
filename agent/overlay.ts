/** The network that this host is in, and the reconciler that keeps the kernel to it; both change with the config. */
import type { Clock } from "../net/clock.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { formatCidr } from "../net/ip.ts";
import { Reconciler } from "../kernel/reconcile.ts";
import { keysMet } from "../kernel/wireguard.ts";
import type { Host } from "../backends/backend.ts";
import { hostOf } from "../backends/dual.ts";
import type { Plane } from "../backends/several.ts";
import type { Subnets } from "../lease/key.ts";
import type { Lease } from "../lease/lease.ts";
import { familiesOf, networksOf } from "../lease/stack.ts";
import type { Snapshot } from "../lease/store.ts";
import type { AgentParts } from "./parts.ts";
import { needsOf } from "./firewall.ts";
import type { Judgement } from "./health/health.ts";
import { groundOf, type HostOptions } from "./host.ts";
import { type HostState, readHostState, rememberNetwork } from "./host_state.ts";
import { Learning } from "./learning.ts";
import { type Move, Moving, type Outcome } from "./moving.ts";
import { readPlanes, rememberPlanes } from "./planes.ts";
import { Retry } from "./retry.ts";
import { type Network, networkIn, ownerOf, requireEncrypted, requireFit } from "./network.ts";

/** Where an epoch could not be begun, that is tried again after so long. */
const LEAST_WAIT_MS = 1000;

export interface OverlayParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly node: string;
  readonly runCommand: AgentParts["runCommand"];
  readonly secrets?: AgentParts["secrets"];
  readonly options: HostOptions;
}

export class Overlay {
  #network!: Network;
  readonly #moving: Moving;
  readonly #learning: Learning;
  #reconciler!: Reconciler;
  /** The startup command that ran last, and what it said. */
  #startup = { command: "", said: "" };
  /** The config that was adopted or refused last; undefined for one that this host lacks something for. */
  #text: string | undefined;
  /** Subnets that this host had. Their addresses may be left on our link when the network is another one. */
  readonly #former = new Set<string>();
  /** Networks that it was in. Their routes may be left on links that are not ours. */
  readonly #networks = new Set<string>();
  #macs: readonly string[] = [];
  /** Planes that this host had before this agent was started. */
  #had: readonly Plane[] = [];
  /** When a network whose start failed may be tried again. */
  readonly #retry: Retry;
  readonly #parts: OverlayParts;

  constructor(parts: OverlayParts) {
    this.#parts = parts;
    this.#retry = new Retry(parts.clock);
    this.#moving = new Moving(parts.clock);
    this.#learning = new Learning(parts);
  }

  /** Valid after {@link adopt}. While the network moves, its backend is all of them that are needed. */
  get network(): Network {
    return { ...this.#network, backend: this.#moving.backend };
  }

  /** Of all backends that are needed now. */
  get devices(): readonly string[] {
    return this.#moving.devices;
  }

  /** How far the network has moved to this backend; undefined where it does not. */
  moveOf(seen: Pick<Outcome, "view" | "host">): Move | undefined {
    return this.#moving.move(seen);
  }

  /** What the network's startup command said on this host. */
  get said(): string {
    return this.#startup.said;
  }

  get reconciler(): Reconciler {
    return this.#reconciler;
  }

  /** Takes in what the state directory kept from former runs. */
  recall({ previous, previous6, macs, networks }: HostState): void {
    for (const network of networks) this.#networks.add(network);
    if (previous !== undefined) this.had({ subnet: previous, subnet6: previous6 });
    this.#macs = Object.values(macs);
  }

  /** Remembers subnets of this host, so that what is left of them is known as ours in whatever network. */
  had({ subnet, subnet6 }: Subnets): void {
    this.#former.add(subnet);
    if (subnet6 !== undefined) this.#former.add(subnet6);
  }

  /**
   * Whether the snapshot's config is another than the one adopted, or refused, last. What a host lacks may come at any
   * time, so a config that was refused for that is another one each time. One whose startup command failed, or that could
   * not be remembered, is so after a while, ever more rarely.
   */
  differs(snapshot: Snapshot): boolean {
    if (textOf(snapshot) !== this.#text) return true;
    return this.#retry.error !== undefined && this.#retry.nextIn() === 0;
  }

  /**
   * Goes on with a move that an agent before this one began; `lease` is the one that this host has in the store. Returns
   * whether there is one, and so more to know of the host.
   * Throws what the kernel's dump does, which tells whom the host has met.
   */
  async resume(lease: Lease | undefined, host: Host): Promise<boolean> {
    const { kernel, options: { encrypt } } = this.#parts;
    this.#moving.resume(this.#had, { lease, host, encrypt });
    this.#parts.secrets?.learn(this.network);
    if (this.#moving.planes.length === 1) return false;
    this.#moving.recall(keysMet(await kernel.dump({ links: this.devices, sysctls: [] })));
    return true;
  }

  /** See {@link Moving.heard}. */
  heard(own: Lease | undefined, known: { host: Host; revision: number }): void {
    this.#moving.heard(own, known);
  }

  /** Milliseconds until a move can go on by itself, or what failed of it is tried again, or the network's keys change by time. */
  nextIn(host: Host): number {
    return Math.min(this.#moving.nextIn(), this.#learning.nextIn(), this.#epochEndsIn(host));
  }

  /** Goes on with a move where there is one. Returns whether there is something to announce or to plan anew. */
  look(outcome: Omit<Outcome, "met">): boolean {
    return this.#moving.look({ ...outcome, met: this.#reconciler.met });
  }

  /**
   * Goes over to the snapshot's network. Throws what {@link networkIn} does, and `unsupported` or `not-permitted` where
   * the host lacks what is needed; then the old one stays.
   */
  async adopt(
    snapshot: Snapshot,
    { url, host }: { url: string; host: Host | undefined },
  ): Promise<void> {
    const { kernel, clock, options } = this.#parts;
    const text = textOf(snapshot);
    if (text !== this.#text) this.#retry.succeeded();
    this.#text = text;
    const network = networkIn(snapshot, url);
    requireEncrypted(network, options);
    try {
      if (host !== undefined) requireFit(network, await this.#groundFor(network, host));
      await kernel.require(needsOf(network, options));
    } catch (error) {
      this.#text = undefined;
      throw error;
    }
    const cidrs = networksOf(network.config).map(formatCidr);
    const begun = clock.monotonic();
    try {
      await this.#start(network.backend.startup(network.config));
      // Before anything of it is made: whoever takes it away later must know it.
      for (const cidr of cidrs) await rememberNetwork(options.stateDir, cidr);
      await this.#rememberPlanes(network, host);
    } catch (error) {
      this.#retry.failed(error, begun);
      throw error;
    }
    this.#retry.succeeded();
    for (const cidr of cidrs) this.#networks.add(cidr);
    this.#moving.adopt(network, host);
    this.#network = network;
    this.#own();
  }

  /** See {@link Learning.takeUp}. */
  async learn(peers: readonly Lease[], host: Host): Promise<boolean> {
    const some = await this.#learning.takeUp(this.#moving, { network: this.#network.config, peers, host });
    if (some) this.#own();
    return some;
  }

  /** What of former backends could not be taken up. */
  get unlearned(): Judgement {
    return this.#learning.judgement;
  }

  /** Somebody asks for it: what failed may be tried again. */
  hasten(): void {
    this.#reconciler.hasten();
    this.#learning.hasten();
  }

  /** The reconciler, and the secrets, of all that is this host's in the planes that it has now. */
  #own(): void {
    const { kernel, clock, node, secrets } = this.#parts;
    secrets?.learn(this.network);
    const owner = ownerOf({ ...this.#network, devices: this.devices }, {
      node,
      former: [...this.#former],
      networks: [...this.#networks],
      macs: this.#macs,
    });
    this.#reconciler = new Reconciler(kernel, { owner, clock });
  }

  /** Where this host stands in the network's families, of which it may not have had all in the former network. */
  async #groundFor({ config }: Network, host: Host): Promise<Pick<Host, "underlay" | "publicIp" | "ipv6">> {
    const { kernel, options } = this.#parts;
    if (familiesOf(config).every((family) => hostOf(host, family) !== undefined)) return host;
    return await groundOf(kernel, {
      config,
      options,
      objects: await kernel.dump({ links: [], sysctls: [] }),
    });
  }

  /** The new one before those that the host had, since the store forgets them. */
  async #rememberPlanes(network: Network, host: Host | undefined): Promise<void> {
    const { stateDir } = this.#parts.options;
    const macs = readHostState(stateDir)?.macs ?? {};
    if (host === undefined) this.#had = readPlanes(stateDir, { network: network.config, macs });
    const [present, ...former] = host === undefined ? this.#had : this.#moving.planes;
    const planes = [network, ...present === undefined ? [] : [present, ...former]];
    await rememberPlanes(stateDir, planes);
  }

  #epochEndsIn({ ipsec }: Host): number {
    const { backend, config } = this.network;
    const span = backend.epochs?.(config);
    if (span === undefined || ipsec === undefined) return Infinity;
    return Math.max(LEAST_WAIT_MS, (ipsec.epoch + 1) * span - this.#parts.clock.now());
  }

  /** Runs the command before anything is announced; the same one not again. */
  async #start(command: string): Promise<void> {
    if (command === this.#startup.command) return;
    const said = command === "" ? "" : await this.#parts.runCommand(command);
    this.#startup = { command, said };
  }
}

function textOf({ config }: Snapshot): string | undefined {
  return config === undefined ? undefined : JSON.stringify(config.value);
}
