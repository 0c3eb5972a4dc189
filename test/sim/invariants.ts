/** What must hold at every moment, and what must hold after a while of quiet. */
import { drift } from "../../kernel/drift.ts";
import { aliasOf, keyOf } from "../../kernel/state.ts";
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { isObject } from "../../lease/go_json.ts";
import type { Snapshot } from "../../lease/store.ts";
import { covers, formatCidr, parseCidr } from "../../net/ip.ts";
import type { Json } from "../../net/json.ts";
import type { SimHost } from "./host.ts";
import { PREFIX } from "./setting.ts";
import type { World } from "./world.ts";
import { Writes } from "./writes.ts";

/** Lines of one cause in a minute. */
const MOST_LINES = 10;
const MINUTE_MS = 60_000;
/** Milliseconds for which a host that looks for another subnet may be between two attempts, when many do so. */
const ATTEMPT_MS = 5000;

const LEASES = `${PREFIX}/subnets/`;
const ALL_LEASES = { start: LEASES, end: `${PREFIX}/subnets0` };

export class Invariants {
  readonly #world: World;
  /** Per host how far its log was looked at. */
  readonly #read = new Map<SimHost, number>();
  /** Times of lines by host and cause. */
  readonly #lines = new Map<string, number[]>();
  /** Since when hosts that are in touch know something else than there is. */
  readonly #blind = new Map<SimHost, number>();
  /** Since when two hosts have one address in their kernels. */
  readonly #doubled = new Map<string, number>();
  /** Since when hosts have another subnet and have not said so. */
  readonly #silent = new Map<SimHost, number>();
  /** Since when hosts that are in touch claim what is another's, by the monotonic clock. */
  readonly #claimed = new Map<SimHost, number>();
  /** The lease that each host was seen to claim rightly. */
  readonly #known = new Map<SimHost, unknown>();
  /** What hosts that cannot reach etcd want, from when they lost it. */
  readonly #frozenPlans = new Map<SimHost, string>();
  readonly #texts = new WeakMap<Snapshot, string>();
  /** Routes that must not go, by host. */
  readonly flowing = new Map<SimHost, ReadonlySet<string>>();

  constructor(world: World) {
    this.#world = world;
    new Writes(world);
  }

  /** At every moment at which nothing goes on: what an agent says and thinks. */
  check(): void {
    const { hosts } = this.#world;
    const bySubnet = new Map<string, SimHost>();
    for (const host of hosts) {
      const { subnet } = host;
      this.#checkLog(host);
      this.#checkLoss(host, subnet);
      this.#checkFlow(host);
      if (subnet === undefined || !host.inTouch) continue;
      const other = bySubnet.get(subnet);
      const rival = other === undefined ? this.#holder(host, subnet) : other.name;
      bySubnet.set(subnet, host);
      if (rival === undefined) this.#claimed.delete(host);
      else this.#contested(host, `${host.name} claims ${subnet}, which is of ${rival}`);
    }
  }

  /** Whoever finds its subnet taken may be between two attempts to get another one, for a moment. */
  #contested(host: SimHost, why: string): void {
    const now = this.#world.clock.monotonic();
    const since = this.#claimed.get(host) ?? now;
    this.#claimed.set(host, since);
    if (now - since > ATTEMPT_MS) this.#fail(why);
  }

  /** Once a second: what is in the kernels. */
  checkKernels(): void {
    const bySubnet = new Map<string, SimHost>();
    const doubled = new Set<string>();
    const stored = this.#world.etcd.keys.range(ALL_LEASES, 0).map(({ key, mod }) =>
      `${key.slice(LEASES.length)} ${mod}`
    ).join();
    for (const host of this.#world.hosts) {
      this.#checkCutOff(host);
      this.#checkView(host, stored);
      const { spoiled } = host;
      if (spoiled !== undefined) this.#fail(`${host.name}: ${keyOf(spoiled)} is not as it was`);
      const subnet = host.inTouch && !host.codes.includes("kernel-refuses") ? addressOf(host) : undefined;
      if (subnet === undefined) continue;
      const other = bySubnet.get(subnet);
      bySubnet.set(subnet, host);
      if (other === undefined) continue;
      // One of the two is the rightful one; the other has looked for another subnet for a while at most.
      const now = this.#world.clock.monotonic();
      const pair = `${other.name} and ${host.name}`;
      const since = this.#doubled.get(pair) ?? now;
      this.#doubled.set(pair, since);
      if (now - since > ATTEMPT_MS) this.#fail(`the kernels of ${pair} both have ${subnet}`);
      doubled.add(pair);
    }
    for (const pair of this.#doubled.keys()) {
      if (!doubled.has(pair)) this.#doubled.delete(pair);
    }
  }

  /** Whoever has heard everything knows what there is, and at which revision. */
  #checkView(host: SimHost, stored: string): void {
    if (!host.inTouch) return void this.#blind.delete(host);
    const known = this.#knownTo(host.agent!.state.snapshot);
    if (stored === known) return void this.#blind.delete(host);
    const now = this.#world.clock.monotonic();
    const since = this.#blind.get(host) ?? now;
    this.#blind.set(host, since);
    if (now - since > ATTEMPT_MS) this.#fail(`${host.name} knows ${known}, and there is ${stored}`);
  }

  /** The keys and revisions of a snapshot; agents that have nothing new to see keep theirs. */
  #knownTo(snapshot: Snapshot): string {
    let text = this.#texts.get(snapshot);
    if (text === undefined) {
      text = snapshot.records.map(({ key, revision }) => `${key} ${revision}`).join();
      this.#texts.set(snapshot, text);
    }
    return text;
  }

  /** Another host in whose name the subnet stands in the store. */
  #holder(host: SimHost, subnet: string): string | undefined {
    const kv = this.#world.etcd.keys.get(`${PREFIX}/subnets/${subnet.replace("/", "-")}`);
    if (kv === undefined || kv === this.#known.get(host)) return undefined;
    const value = atob(String(kv.wire.value ?? ""));
    if (!value.includes(`"${host.agent!.state.host.publicIp}"`) && value.includes('"PublicIP":"')) {
      return value;
    }
    this.#known.set(host, kv);
  }

  /** After quiet. */
  checkQuiet(): void {
    const { hosts, admin, etcd } = this.#world;
    const records = admin.list("subnets/").map(({ key, lease, value }) => {
      const name = key.slice(LEASES.length);
      return { name, key, lease, value: JSON.parse(value) as Json, node: this.#nodeOf(name) };
    });
    const live = hosts.filter((host) => host.wanted);
    const served = live.filter((host) => host.subnet !== undefined);
    const nodes = new Map(served.map((host) => [host.agent!.state.host.node, host]));
    const holders = new Set<string>();
    for (const { name, node, lease } of records) {
      if (admin.isTheirs(name)) continue;
      if (node === undefined || !nodes.has(node)) this.#fail(`the lease ${name} of ${node} is leaked`);
      if (node !== undefined && holders.has(node) && lease !== "0") this.#fail(`${node} has ${name} as well`);
      if (node !== undefined) holders.add(node);
    }
    for (const [id, { keys, ttl }] of etcd.leases) {
      if (keys.size === 0 && ttl < 86400) this.#fail(`the etcd lease ${id} (${ttl} s) has no key`);
    }
    const peers = records.filter((one) => this.#isPeer(one)).length;
    for (const host of live) this.#checkHost(host, peers);
  }

  #checkHost(host: SimHost, peers: number): void {
    const { agent } = host;
    if (agent === undefined) {
      // Who finds no subnet stays outside, and leaves nothing behind.
      if (host.life?.running !== true && host.refusals.size > 0 && this.#world.isFull) return;
      return this.#fail(`${host.name} has not joined`);
    }
    const problems = agent.health.list().filter(({ code }) =>
      code !== "lease-lost" || host.subnet === undefined
    );
    if (host.subnet === undefined && this.#world.isFull) return;
    // Who was overwritten again and again waits for up to an hour before it takes its lease back.
    const isTold = (code: string) =>
      code === "lease-lost" || code === "lease-overwritten" && this.#world.wordless;
    const bad = problems.filter(({ code }) => !isTold(code));
    if (bad.length > 0) this.#fail(`${host.name} is not well: ${JSON.stringify(bad)}`);
    const { plan, host: { node } } = agent.state;
    if (plan.peers.length !== peers - 1) {
      this.#fail(`${host.name} has ${plan.peers.length} peers, there are ${peers - 1}`);
    }
    const { config, backend } = agent.state;
    const links = backend.devices(config);
    const owner = { alias: aliasOf(node), links, network: formatCidr(config.network) };
    const left = drift(plan.objects, host.stack.read(), owner);
    if (left.changes.length + left.conflicts.length > 0) {
      this.#fail(`${host.name}: the kernel differs: ${JSON.stringify([left.changes, left.conflicts])}`);
    }
  }

  #isPeer(
    { name, value, lease, node }: { name: string; value: Json; lease: string; node: string | undefined },
  ) {
    const record = { key: name, value, node, expires: lease === "0" ? undefined : Infinity, revision: 1 };
    const decoded = decodeRecord(record);
    if (isRefusal(decoded)) return false;
    // A reservation that nobody has claimed announces no type either, and no host's address.
    return this.#world.backend === "udp" ? decoded.publicIp !== "0.0.0.0" : decoded.backendType === "vxlan";
  }

  /** The identity in flan's word on a lease, unless somebody has overwritten the lease. */
  #nodeOf(name: string): string | undefined {
    const { keys } = this.#world.etcd;
    const [word, lease] = [keys.get(`${PREFIX}/flan/leases/${name}`), keys.get(`${PREFIX}/subnets/${name}`)];
    if (word === undefined || word.mod !== lease?.mod) return undefined;
    const value = JSON.parse(atob(String(word.wire.value))) as Json;
    return isObject(value) ? value.node as string : undefined;
  }

  /** A subnet that is another one, or none, was said to be lost, as soon as it is known what there is instead. */
  #checkLoss(host: SimHost, subnet: string | undefined): void {
    const { agent } = host;
    const before = host.lastSubnet;
    if (agent === undefined || subnet === before) {
      this.#silent.delete(host);
      return;
    }
    const { network } = agent.state.config;
    // Whoever moves with the network to other addresses, and perhaps back again, has lost nothing.
    const said = before === undefined || !covers(network, parseCidr(before)) ||
      host.log.some(({ message }) => message.startsWith(`Gave back ${before}: `)) ||
      agent.health.has("lease-lost") ||
      host.log.some(({ fields, message }) => fields.code === "lease-lost" && !message.startsWith("Well"));
    const now = this.#world.clock.monotonic();
    const since = host.life!.link.underWay > 0 ? now : this.#silent.get(host) ?? now;
    this.#silent.set(host, since);
    if (said) host.lastSubnet = subnet;
    else if (now - since > ATTEMPT_MS) {
      this.#fail(`${host.name} has ${subnet}, not ${before}, and does not say so`);
    }
  }

  /** Whoever cannot reach etcd goes on with what it knew. */
  #checkCutOff(host: SimHost): void {
    const { agent } = host;
    const away = agent !== undefined && (host.reach !== "well" || this.#world.stall.stalled);
    // Whoever lacks something for another network goes there when it has it: what it knew already is no news.
    const isUnsettled = agent?.health.has("peer-expired") || agent?.health.has("network-config");
    if (!away || isUnsettled || !host.life!.gate.isOpen || host.life!.link.underWay > 0) {
      this.#frozenPlans.delete(host);
      return;
    }
    const plan = agent.state.plan.objects.map((object) => keyOf(object)).join("\n");
    const before = this.#frozenPlans.get(host);
    if (before === undefined) this.#frozenPlans.set(host, plan);
    else if (before !== plan) this.#fail(`${host.name} changes its plan while it is cut off`);
  }

  #checkFlow(host: SimHost): void {
    const flowing = this.flowing.get(host);
    if (flowing === undefined) return;
    for (const key of flowing) {
      if (!host.stack.objects.has(key)) this.#fail(`${host.name} has lost ${key}`);
    }
  }

  #checkLog(host: SimHost): void {
    const from = this.#read.get(host) ?? 0;
    if (from === host.log.length) return;
    for (const { at, message, fields, process } of host.log.slice(from)) {
      const cause = `${host.name} (${process}) ${fields.code ?? message.replaceAll(/\d+/g, "#")}`;
      const times = (this.#lines.get(cause) ?? []).filter((time) => time > at - MINUTE_MS);
      times.push(at);
      this.#lines.set(cause, times);
      if (times.length > MOST_LINES) {
        this.#fail(`${cause} is logged ${times.length} times a minute: ${message}`);
      }
    }
    this.#read.set(host, host.log.length);
  }

  #fail(why: string): void {
    this.#world.fail(why);
  }
}

/** The subnet of this host's address in its kernel. */
function addressOf({ stack }: SimHost): string | undefined {
  for (const object of stack.objects.values()) {
    if (object.kind === "address" && object.link.startsWith("flan")) {
      return object.address.replace(/\/32$/, "/24");
    }
  }
  return undefined;
}
