/**
 * The long-running part of `flan up`, and the only endless loop: it waits for a change of the store, of the
 * kernel or of the clock, and runs the same plan → diff → apply again.
 */
import type { Clock } from "../net/clock.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import { formatCidr } from "../net/ip.ts";
import type { Logger } from "../net/log.ts";
import type { Kernel, KernelEvent } from "../kernel/kernel.ts";
import { aliasOf } from "../kernel/state.ts";
import { Reconciler, type Report } from "../kernel/reconcile.ts";
import { describe } from "../kernel/state.ts";
import type { Backend, Host, Plan } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import type { Lease } from "../lease/lease.ts";
import { type NetworkConfig, parseNetworkConfig } from "../lease/network.ts";
import type { Snapshot, Store } from "../lease/store.ts";
import { makeView, type View } from "../lease/view.ts";
import { culprit, followKernel, followStore } from "./feeds.ts";
import { reasonOf } from "./concerns.ts";
import { foreignCodes, Health } from "./health.ts";
import { describeHost, type HostOptions } from "./host.ts";
import { readHostState } from "./host_state.ts";
import { claimOf, LeaseKeeper } from "./keeper.ts";
import { formatSubnetEnv, writeSubnetEnv } from "./subnet_env.ts";
import { Wake } from "./wake.ts";
import { Repairs } from "./repairs.ts";

/** Looked at even when nothing says so: not everything that goes missing announces itself. */
const RESYNC_MS = 30_000;
/** A resync may take a tenth of the time at most, so that somebody who flushes in a loop cannot busy us. */
const RESYNC_SHARE = 10;
/** Addresses the kernel asked for that are kept at once (on-demand mode). */
const MAX_WANTED = 8192;

export interface AgentOptions extends HostOptions {
  readonly leaseTtl: number;
  readonly subnetFile: string;
  /** Whether flannel's own place for subnet.env is served too. */
  readonly sharedSubnetFile: boolean;
}

export interface AgentParts {
  readonly store: Store;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: string;
  readonly options: AgentOptions;
}

type Reason = "store" | "kernel" | "host" | "wanted";

export class Agent {
  readonly health: Health;
  readonly repairs: Repairs;
  readonly #parts: AgentParts;
  readonly #keeper: LeaseKeeper;
  readonly #wake: Wake<Reason>;
  readonly #wanted = new Set<string>();
  #snapshot!: Snapshot;
  #config!: NetworkConfig;
  #backend!: Backend;
  #reconciler!: Reconciler;
  #host!: Host;
  #view!: View;
  #plan!: Plan;
  #report!: Report;
  #nextResync = 0;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.health = new Health(parts.log);
    this.repairs = new Repairs(parts);
    this.#wake = new Wake(parts.clock);
    const { stateDir, leaseTtl } = parts.options;
    this.#keeper = new LeaseKeeper({ ...parts, stateDir, leaseTtl });
  }

  /** What the agent knows, for `status`. Valid after {@link join}. */
  get state() {
    return {
      snapshot: this.#snapshot,
      config: this.#config,
      host: this.#host,
      view: this.#view,
      plan: this.#plan,
      report: this.#report,
      backend: this.#backend,
      own: this.#keeper.own,
    };
  }

  /**
   * Takes a lease and brings the kernel in step. Resolves when the network works and subnet.env says so.
   * Throws what stands in the way: store, settings, a kernel that refuses, a foreign object in our place.
   */
  async join(): Promise<Lease> {
    const { store, options } = this.#parts;
    this.#snapshot = await store.read();
    this.#adoptConfig(this.#snapshot);
    this.#host = await this.#describeHost();
    const previous = readHostState(options.stateDir)?.previous;
    const lease = await this.#keeper.acquire(this.#claim(), previous);
    this.#snapshot = await store.read();
    await this.#reconcile({ resync: true });
    const [failure] = this.#report.failures;
    if (failure !== undefined) throw failure.error;
    await this.#writeSubnetEnv();
    return lease;
  }

  /** Keeps the kernel in step until `signal` aborts. The kernel is left as it is: packets go on flowing. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, kernel, clock } = this.#parts;
    const ended = new AbortController();
    signal.addEventListener("abort", () => ended.abort(), { once: true });
    const feeds = [
      followStore(store, {
        from: this.#snapshot.revision,
        clock,
        signal: ended.signal,
        seen: (snapshot) => this.#seenSnapshot(snapshot),
        lost: (error) => this.#problem("store-unreachable", store.url, messageOf(error)),
      }),
      followKernel(kernel, { signal: ended.signal, seen: (event) => this.#seenEvent(event) }),
    ];
    // A feed never ends by itself; if one breaks, the agent must not go on deaf.
    const broken = Promise.all(feeds).finally(() => ended.abort());
    broken.catch(() => {});
    this.#wake.because("kernel");
    while (!ended.signal.aborted) {
      const reasons = await this.#wait(ended.signal);
      if (!ended.signal.aborted) await this.#step(reasons);
    }
    await broken;
  }

  async #wait(signal: AbortSignal): Promise<ReadonlySet<Reason>> {
    const { clock } = this.#parts;
    const wake = () => this.#wake.because("store");
    signal.addEventListener("abort", wake, { once: true });
    const now = clock.monotonic();
    const reasons = await this.#wake.wait(
      Math.min(
        this.#keeper.nextIn(),
        this.#report.retryIn ?? Infinity,
        Math.max(0, this.#nextResync - now) + RESYNC_MS,
      ),
    );
    signal.removeEventListener("abort", wake);
    if (reasons.has("kernel") || reasons.has("host")) {
      await clock.sleep(this.#nextResync - clock.monotonic(), signal);
    }
    return reasons.size === 0 ? new Set<Reason>(["kernel"]) : reasons;
  }

  /** Looks at everything again, in the one order there is. */
  async #step(reasons: ReadonlySet<Reason>): Promise<void> {
    if (reasons.has("store")) this.#adoptChangedConfig();
    if (reasons.has("host")) await this.#lookAtHost();
    const { lost, error } = await this.#keeper.keep(this.#snapshot, this.#claim());
    this.#judgeLease(lost, error);
    await this.#reconcile({ resync: reasons.has("kernel") || reasons.has("host") });
    await this.#writeSubnetEnv().then(
      () => this.#solved("subnet-file"),
      (failed) => this.#problem("subnet-file", this.#parts.options.subnetFile, messageOf(failed)),
    );
  }

  async #reconcile({ resync }: { resync: boolean }): Promise<void> {
    const { clock, log } = this.#parts;
    const own = this.#keeper.own;
    const view = makeView(this.#snapshot, {
      node: this.#host.node,
      network: this.#config,
    });
    this.#view = { ...view, own };
    const wasPlanned = this.#plan;
    this.#plan = this.#backend.plan(this.#view, { ...this.#host, wanted: this.#wanted });
    const begun = clock.monotonic();
    this.#report = await this.#reconciler.reconcile(this.#plan.objects, { resync });
    const took = clock.monotonic() - begun;
    if (this.#report.resynced) this.#nextResync = clock.monotonic() + Math.min(RESYNC_SHARE * took, 1000);
    this.repairs.judge({ report: this.#report, before: wasPlanned, after: this.#plan });
    this.#judgeReport();
    if (this.#report.done.length > 0) {
      log.log("debug", "Applied changes", {
        changes: this.#report.done.length,
        milliseconds: Math.round(took),
      });
    }
  }

  #adoptConfig(snapshot: Snapshot): void {
    const { clock, kernel, log, node } = this.#parts;
    if (snapshot.config === undefined) {
      throw new FlanError(`The store ${this.#parts.store.url} holds no network`, {
        op: "agent.join",
        code: "store",
        hint: "flan up --network 10.244.0.0/16 starts one",
      });
    }
    const config = parseNetworkConfig(snapshot.config.value);
    const backend = backendFor(config.backendType);
    const ignored = backend.check(config);
    this.#config = config;
    this.#backend = backend;
    const owner = {
      alias: aliasOf(node),
      links: [backend.device(config)],
      network: formatCidr(config.network),
    };
    this.#reconciler = new Reconciler(kernel, { owner, clock, log });
    this.health.set(
      ["option-ignored"],
      [
        ...config.unknownKeys.map((key) => ({
          subject: key,
          message: `The network config has an unknown key ${key}`,
        })),
        ...ignored.map((message) => ({ subject: message, message })),
      ].map((one) => ({ code: "option-ignored" as const, ...one })),
      clock.now(),
    );
  }

  #adoptChangedConfig(): void {
    const { config } = this.#snapshot;
    if (config === undefined || JSON.stringify(config.value) === this.#configText) return;
    this.#configText = JSON.stringify(config.value);
    try {
      this.#adoptConfig(this.#snapshot);
      this.#parts.log.log("info", "The network config has changed", { revision: config.revision });
      this.#solved("network-config");
    } catch (error) {
      this.#problem(
        "network-config",
        this.#parts.store.url,
        `The new network config cannot be used, the old one stays: ${messageOf(error)}`,
      );
    }
  }
  #configText = "";

  async #describeHost(): Promise<Host> {
    const { kernel, clock, node, options } = this.#parts;
    return await describeHost(kernel, { config: this.#config, backend: this.#backend, node, options, clock });
  }

  async #lookAtHost(): Promise<void> {
    try {
      this.#host = await this.#describeHost();
      this.#solved("underlay-missing");
    } catch (error) {
      this.#problem("underlay-missing", this.#host.underlay.link, messageOf(error));
    }
  }

  #claim() {
    return claimOf(this.#host, {
      config: this.#config,
      backend: this.#backend,
      ttl: this.#parts.options.leaseTtl,
    });
  }

  #seenSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#solved("store-unreachable");
    this.#wake.because("store");
  }

  #seenEvent(event: KernelEvent): void {
    const reason = reasonOf(event, {
      device: this.#backend.device(this.#config),
      underlay: this.#host.underlay.link,
      network: this.#config.network,
      searching: this.health.has("underlay-missing") || this.health.has("foreign-link"),
    });
    if (reason === undefined) return;
    if (reason === "wanted") return this.#want(event);
    if (event.group === "neighbour" && event.subject !== undefined) this.#wanted.delete(event.subject);
    this.repairs.suspect(event, culprit(event));
    this.#wake.because(reason);
  }

  #want(event: KernelEvent): void {
    const [oldest] = this.#wanted;
    if (this.#wanted.size >= MAX_WANTED) this.#wanted.delete(oldest!);
    this.#wanted.delete(event.subject!);
    this.#wanted.add(event.subject!);
    this.#reconciler.note(event);
    this.#wake.because("wanted");
  }

  #judgeLease(lost: Lease | undefined, error: unknown): void {
    const own = this.#keeper.own;
    if (lost !== undefined) {
      const now = own === undefined ? "this host has none now" : `this host has ${own.subnet} now`;
      this.#problem("lease-lost", lost.subnet, `Lease ${lost.subnet} was lost, ${now}`);
    }
    if (error === undefined) return this.#solved("lease-not-renewed");
    this.#problem("lease-not-renewed", own?.subnet ?? "none", messageOf(error));
  }

  #judgeReport(): void {
    const { conflicts, failures } = this.#report;
    const refused = [...this.#view.refused, ...this.#plan.refused];
    const problems = [
      ...refused.map((one) => ({
        code: "lease-refused" as const,
        subject: one.subnet,
        message: `Lease ${one.subnet} is refused (${one.code}): ${one.reason}`,
      })),
      ...conflicts.map((one) => ({
        code: one.code,
        subject: describe(one.wanted),
        message: `${describe(one.found)} is not flan's and stands in the way of ${describe(one.wanted)}`,
      })),
      ...failures.map((one) => ({
        code: "kernel-refuses" as const,
        subject: describe(one.change.object),
        message: one.error.message,
      })),
    ];
    this.health.set(["lease-refused", "kernel-refuses", ...foreignCodes], problems, this.#parts.clock.now());
  }

  async #writeSubnetEnv(): Promise<void> {
    const { subnetFile, sharedSubnetFile } = this.#parts.options;
    const own = this.#keeper.own;
    if (own === undefined) return;
    const mtu = this.#backend.mtu(this.#config, this.#host);
    const text = formatSubnetEnv({ network: this.#config.network, subnet: own.subnet, mtu, ipMasq: false });
    await writeSubnetEnv(subnetFile, text, { shared: sharedSubnetFile });
  }

  #problem(code: Parameters<Health["raise"]>[0], subject: string, message: string): void {
    this.health.raise(code, { subject, message }, this.#parts.clock.now());
  }

  #solved(code: Parameters<Health["raise"]>[0]): void {
    this.health.set([code], [], this.#parts.clock.now());
  }
}
