/**
 * The long-running part of `flan up`, and the only endless loop: it waits for a change of the store, of the
 * kernel or of the clock, and runs the same plan → diff → apply again.
 */
import { FlanError, messageOf } from "../net/errors.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import type { KernelObject } from "../kernel/state.ts";
import type { Report } from "../kernel/reconcile.ts";
import type { Host, Plan } from "../backends/backend.ts";
import type { Lease } from "../lease/lease.ts";
import type { Snapshot } from "../lease/store.ts";
import { makeView, type View } from "../lease/view.ts";
import { Asked } from "./asked.ts";
import { isBackFromBoot } from "./boot.ts";
import { ChecksumWatch, tunnelPorts } from "./probing/checksum_watch.ts";
import { followKernel, StoreFeed } from "./feeds.ts";
import { Inbox, looks, type Reason } from "./inbox.ts";
import type { AgentParts } from "./parts.ts";
import { Pace, RESYNC_MS } from "./pace.ts";
import { Health, type Judgement } from "./health/health.ts";
import type { HealthCode } from "./health/codes.ts";
import { planFor } from "./firewall.ts";
import { describeHost } from "./host.ts";
import { formerOf } from "./underlay.ts";
import { readHostState, rememberBoot } from "./host_state.ts";
import { claimOf } from "./keeping/keeper.ts";
import { Keeping } from "./keeping/keeping.ts";
import { Linger, PROBE_MS } from "./linger.ts";
import { requireFit } from "./network.ts";
import { Overlay } from "./overlay.ts";
import { networksOf } from "../lease/stack.ts";
import { viewFrom } from "./view.ts";
import { judgeHooks, judgeLease, judgeLingering, judgeReport, requireJoined } from "./health/problems.ts";
import { judgeKeys } from "./health/keys.ts";
import { Pulse } from "./pulse.ts";
import { QuietLog } from "./quiet_log.ts";
import { halvesOf } from "./probing/halves.ts";
import { Probing } from "./probing/probing.ts";
import { toldMtu } from "./probing/told_mtu.ts";
import { publishSubnetEnv } from "./subnet_env.ts";
import { Repairs } from "./repairs.ts";
import { onceSettled } from "./settled.ts";
import { StoreState } from "./health/store_state.ts";
import { Tally } from "./monitoring/tally.ts";
import { underlayTrouble } from "./underlay_trouble.ts";

export class Agent {
  readonly health: Health;
  readonly repairs: Repairs;
  readonly store: StoreState;
  readonly pulse: Pulse;
  readonly tally = new Tally();
  /** Undefined where the network is not measured. */
  readonly probing: Probing | undefined;
  readonly #checksums: ChecksumWatch | undefined;
  readonly #log: QuietLog;
  readonly #linger: Linger;
  readonly #parts: AgentParts;
  readonly #keeping: Keeping;
  readonly #feed: StoreFeed;
  readonly #overlay: Overlay;
  readonly #inbox: Inbox;
  readonly #pace: Pace;
  #snapshot!: Snapshot;
  #host!: Host;
  #view!: View;
  #plan!: Plan;
  #report!: Report;
  readonly #asked = new Asked<Report>();

  constructor(parts: AgentParts) {
    this.#log = new QuietLog(parts.log, parts.clock);
    this.#parts = { ...parts, log: this.#log };
    this.health = new Health(this.#log);
    this.repairs = new Repairs(this.#parts);
    this.store = new StoreState(parts.store.url, parts.clock);
    this.pulse = new Pulse(parts.clock, parts.watcher);
    this.#linger = new Linger(parts.clock);
    this.#inbox = new Inbox(parts.clock);
    this.#pace = new Pace(parts.clock);
    const { stateDir, leaseTtl } = parts.options;
    this.#overlay = new Overlay(parts);
    this.#keeping = new Keeping({ ...this.#parts, stateDir, leaseTtl });
    this.#feed = new StoreFeed(parts.store, parts.clock);
    this.#checksums = parts.udpCounters && new ChecksumWatch({
      clock: parts.clock,
      counters: parts.udpCounters,
      judge: (judgement) => this.#judge(judgement),
    });
    this.probing = parts.probes && new Probing({
      ...parts.probes,
      clock: parts.clock,
      toldMtu: (address, query) => toldMtu(parts.kernel, address, query),
      judge: (judgement) => this.#judge(judgement),
    });
  }

  /** What the agent knows, for `status`. Valid after {@link join}. */
  get state() {
    const { config, backend } = this.#overlay.network;
    return {
      snapshot: this.#snapshot,
      config,
      host: this.#host,
      view: this.#view,
      plan: this.#plan,
      report: this.#report,
      backend,
      own: this.#keeping.own,
      /** Undefined while the network does not move from one backend to another. */
      move: this.#overlay.moveOf({ view: this.#view, host: this.#host }),
      /** Milliseconds until the lease is renewed, Infinity for a reservation. */
      renewIn: this.#keeping.renewIn,
      lingering: [...this.#linger.records.values()],
    };
  }

  /**
   * Takes a lease and brings the kernel in step. Resolves when the network works and subnet.env says so.
   * Throws what stands in the way: store, settings, a kernel that refuses, a foreign object in our place.
   */
  async join(): Promise<Lease> {
    const { store, options, bootId } = this.#parts;
    this.#snapshot = await store.read();
    const state = readHostState(options.stateDir);
    this.probing?.begin({ afterBoot: isBackFromBoot(state, bootId) });
    if (state !== undefined) this.#overlay.recall(state);
    await this.#adopt();
    this.#host = await onceSettled(() => this.#describeHost(), this.#parts.clock);
    requireFit(this.#overlay.network, this.#host);
    const { config } = this.#overlay.network;
    const before = makeView(this.#snapshot, { node: this.#host.node, network: config });
    if (await this.#overlay.resume(before.own, this.#host)) this.#host = await this.#describeHost();
    const lease = await this.#keeping.acquire(this.#claim(), { config, former: state });
    this.#judge(judgeLease(this.#keeping.kept));
    this.#snapshot = await store.read();
    this.store.watched(undefined);
    const { peers } = makeView(this.#snapshot, { node: this.#host.node, network: config });
    if (await this.#learn(peers)) this.#host = await this.#describeHost();
    await this.#reconcile(new Set<Reason>(["host"]));
    requireJoined(this.#report, this.#plan);
    await this.#publish();
    // Not before: the attempts of a host that cannot join yet are no restarts of its agent.
    if (bootId !== undefined) await rememberBoot(options.stateDir, bootId);
    return lease;
  }

  /** Keeps the kernel in step until `signal` aborts. The kernel is left as it is: packets go on flowing. */
  async run(signal: AbortSignal): Promise<void> {
    const { kernel } = this.#parts;
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    stop.addEventListener("abort", () => this.#inbox.wake.because("stop"), { once: true });
    const feeds = Promise.all([
      this.#feed.follow(this.#snapshot.revision, {
        signal: stop,
        seen: (snapshot) => this.#seenSnapshot(snapshot),
        troubled: (error) => this.#seenTrouble(error),
      }),
      this.#keeping.run({ signal: stop, done: () => this.#kept() }),
      this.#checksums?.run(stop),
      followKernel(kernel, { signal: stop, seen: (event) => this.#seenEvent(event) }),
      // A feed never ends by itself; if one breaks, the agent must not go on deaf.
    ]).finally(() => ended.abort());
    feeds.catch(() => {}); // awaited below
    try {
      // Whatever happened between the join and the subscription.
      this.#inbox.wake.because("host");
      while (!stop.aborted) {
        const reasons = await this.#wait(stop);
        if (!stop.aborted) await this.#step(reasons, stop);
      }
    } finally {
      ended.abort();
      this.#asked.refuse(new FlanError("The agent stops", { op: "agent.repair", code: "failed" }));
      await this.probing?.stop();
      await feeds;
    }
  }

  /**
   * Looks at everything now, tries again what failed, and resolves to what came of it. Rejects with `failed` where the
   * agent stops before. Only while {@link run} runs.
   */
  repair(): Promise<Report> {
    this.#overlay.hasten();
    this.#inbox.wake.because("host");
    return this.#asked.ask();
  }

  async #wait(stop: AbortSignal): Promise<ReadonlySet<Reason>> {
    const { clock } = this.#parts;
    const due = Math.min(this.#linger.nextIn(), this.#overlay.nextIn(this.#host), RESYNC_MS);
    const until = clock.monotonic() + Math.min(due, this.#report.retryIn ?? Infinity);
    this.pulse.turned();
    for (;;) {
      const reasons = await this.#inbox.wake.wait(Math.min(until - clock.monotonic(), this.pulse.every));
      // What follows may take its time, too.
      this.pulse.turned();
      if (reasons.size > 0) {
        if (looks(reasons)) await this.#pace.turn(stop);
        return reasons;
      }
      if (clock.monotonic() >= until) return new Set<Reason>(["host", "clock"]);
    }
  }

  /** Looks at everything again, in the one order there is. */
  async #step(reasons: ReadonlySet<Reason>, stop: AbortSignal): Promise<void> {
    const { clock, options } = this.#parts;
    const begun = clock.monotonic();
    this.#asked.begin();
    this.#log.flush();
    const isNews = reasons.has("store") || reasons.has("host");
    const changed = isNews && await this.#followConfig();
    if (changed || reasons.has("host")) await this.#lookAtHost();
    const { config } = this.#overlay.network;
    this.#keeping.look({ snapshot: this.#snapshot, claim: this.#claim(), config });
    await this.#keeping.settle(stop);
    this.#judge(judgeLease(this.#keeping.kept));
    // What this host has in a subnet that was its own, a bridge for instance, stands in its new holder's way.
    const { subnet, subnet6 } = this.#view.own ?? {};
    const { own } = this.#keeping;
    if (own?.subnet !== subnet || own?.subnet6 !== subnet6) await this.#lookAtHost();
    await this.#reconcile(reasons);
    if (isNews && await this.#learn(this.#view.peers)) this.#inbox.wake.because("host");
    if (this.#report.resynced) this.#pace.looked(begun);
    this.#measure();
    await this.#publish().then(
      () => this.#solved("subnet-file"),
      (failed) => this.#problem("subnet-file", options.subnetFile, messageOf(failed)),
    );
    this.#asked.answer(this.#report);
  }

  async #reconcile(reasons: ReadonlySet<Reason>): Promise<void> {
    const { own } = this.#keeping;
    this.#overlay.heard(own, { host: this.#host, revision: this.#snapshot.revision });
    const { backend, config } = this.#overlay.network;
    if (own !== undefined) this.#overlay.had(own);
    const known = { snapshot: this.#snapshot, config, host: this.#host, own, isHeld: !this.store.isWell };
    this.#view = viewFrom(known, this.#linger);
    const before = this.#plan;
    const begun = this.#parts.clock.monotonic();
    this.#plan = planFor(backend, this.#view, { ...this.#host, wanted: this.#inbox.wanted });
    this.repairs.begin();
    this.#report = await this.#overlay.reconciler.reconcile(this.#plan.objects, {
      resync: looks(reasons),
      looked: () => this.repairs.looked(),
    });
    this.tally.reconciled(this.#parts.clock.monotonic() - begun);
    this.tally.refused([...this.#view.refused, ...this.#plan.refused]);
    this.repairs.judge({ report: this.#report, before, after: this.#plan });
    const place = { networks: networksOf(config), own: this.#view.own };
    const overridden = this.#overlay.reconciler.overridden(this.#plan, place);
    this.#judge(judgeReport({ report: this.#report, view: this.#view, plan: this.#plan, overridden }));
    this.#judge(judgeHooks(this.#parts.hooksTrouble?.()));
    this.#judge(judgeLingering(this.#view, this.#linger));
    // Their holders may live, in a store that takes no renewals. Own ones tell, which may not be due for long.
    if (this.#linger.hasNew) this.#keeping.renewWithin(PROBE_MS);
    if (this.#overlay.look({ report: this.#report, view: this.#view, host: this.#host })) {
      this.#inbox.wake.because("lease");
    }
    const [changes, woken] = [this.#report.done.length, [...reasons].join("-")];
    if (changes > 0) this.#parts.log.log("debug", "Applied changes", { changes, woken });
  }

  /** Takes up what peers need that have not moved. Returns whether there is more to plan for. */
  async #learn(peers: readonly Lease[]): Promise<boolean> {
    const isMore = await this.#overlay.learn(peers, this.#host);
    this.#judge(this.#overlay.unlearned);
    return isMore;
  }

  /** Returns whether there is another network config that can be used. */
  async #followConfig(): Promise<boolean> {
    const { store, log } = this.#parts;
    if (!this.#overlay.differs(this.#snapshot)) return false;
    try {
      await this.#adopt();
      log.log("info", "The network config has changed", { revision: this.#snapshot.config?.revision });
      this.#solved("network-config");
      return true;
    } catch (error) {
      const message = `The new network config cannot be used, the old one stays: ${messageOf(error)}`;
      this.#problem("network-config", store.url, message);
      return false;
    }
  }

  async #adopt(): Promise<void> {
    await this.#overlay.adopt(this.#snapshot, { url: this.#parts.store.url, host: this.#host });
    this.health.set(["option-ignored"], this.#overlay.network.ignored, this.#parts.clock.now());
  }

  async #describeHost(objects?: readonly KernelObject[]): Promise<Host> {
    const { kernel, clock, node, options: given } = this.#parts;
    const options = { ...given, former: this.#host === undefined ? given.former : formerOf(this.#host) };
    const known = { ...this.#overlay.network, node, options, clock, objects, ipsec: this.#host?.ipsec };
    const found = await describeHost(kernel, { ...known, isHeld: !this.store.isWell });
    return { ...found, said: this.#overlay.said };
  }

  /** A host whose underlay is gone stays as it was. */
  async #lookAtHost(): Promise<void> {
    const before = this.#host.underlay;
    try {
      const objects = await this.#parts.kernel.dump({ links: [], sysctls: [] });
      this.#host = await this.#describeHost(objects);
      this.#judge(judgeKeys(this.#host));
      const { underlay } = this.#host;
      const { peers } = this.#plan;
      const trouble = await underlayTrouble(this.#parts.kernel, { objects, underlay, peers });
      if (trouble === undefined) this.#solved("underlay-missing");
      else this.#problem("underlay-missing", underlay.link, trouble);
    } catch (error) {
      this.#problem("underlay-missing", before.link, messageOf(error));
    }
    const { link, address } = this.#host.underlay;
    if (link !== before.link || address !== before.address) this.#parts.moved?.();
  }

  #claim() {
    return claimOf(this.#host, { ...this.#overlay.network, ttl: this.#parts.options.leaseTtl });
  }

  /** The keeper of the lease has done something, or tried. */
  #kept(): void {
    const { kept } = this.#keeping;
    const wasWell = this.store.isWell;
    this.#judge(judgeLease(kept));
    if (this.store.kept(kept)) this.#feed.hasten();
    this.#judge(this.store.judgement);
    if (kept.own !== this.#view.own || wasWell !== this.store.isWell) this.#inbox.wake.because("lease");
  }

  #seenSnapshot(snapshot: Snapshot): void {
    const wasEmpty = this.store.isEmpty;
    const trouble = this.store.saw(snapshot);
    if (trouble !== undefined || wasEmpty) this.#seenTrouble(trouble);
    if (trouble !== undefined) return;
    this.#snapshot = snapshot;
    this.#inbox.wake.because("store");
  }

  #seenTrouble(error: FlanError | undefined): void {
    const over = this.store.watched(error);
    this.#judge(this.store.judgement);
    if (over) this.#keeping.hasten();
    // Only a writer mends a damaged store, and nobody else may write for hours.
    if (error?.code === "store-damaged") this.#keeping.renewNow();
    if (over) this.#inbox.wake.because("store");
  }

  #seenEvent(event: KernelEvent): void {
    if (event.group === "overrun") this.tally.overran();
    const asked = this.#inbox.wanted.has(event.subject ?? "");
    if (!asked && this.#overlay.reconciler.knows(event)) return;
    const { config } = this.#overlay.network;
    const { devices } = this.#overlay;
    const reason = this.#inbox.take(event, {
      devices,
      underlay: this.#host.underlay.link,
      networks: networksOf(config),
      searching: this.health.has("underlay-missing", "foreign-link", "foreign-route") ||
        this.#view.refused.some(({ code }) => code === "covers-host"),
    });
    if (reason === undefined) return;
    this.#overlay.reconciler.note(event);
    if (reason !== "wanted") this.repairs.suspect(event, devices);
  }

  async #publish(): Promise<void> {
    await publishSubnetEnv(this.#parts.options, this.state);
  }

  /** What is planned by now is what can be measured. */
  #measure(): void {
    const { probes } = this.#parts;
    this.#checksums?.follow(tunnelPorts(this.#plan, probes?.port));
    const { config, devices } = this.#overlay.network;
    const joined = { config, devices, own: this.#view.own, plan: this.#plan, host: this.#host };
    this.probing?.follow(halvesOf(joined));
  }

  #judge({ codes, found }: Judgement): void {
    this.health.set(codes, found, this.#parts.clock.now());
  }

  #problem(code: HealthCode, subject: string, message: string): void {
    this.health.raise({ code, subject, message }, this.#parts.clock.now());
  }

  #solved(code: HealthCode): void {
    this.health.set([code], [], this.#parts.clock.now());
  }
}
