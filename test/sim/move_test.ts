/** A living network moves from backend to backend, whatever happens to its hosts meanwhile, and no pair is out of touch. */
import assert from "node:assert/strict";
import { isInClear, lostBetween, type Station } from "../lib/arrival.ts";
import { shakeHands } from "../lib/handshakes.ts";
import { familyOf } from "../../net/ip.ts";
import type { Json } from "../../net/json.ts";
import type { SimHost } from "./host.ts";
import { PRESHARED_KEY } from "../lib/overlay.ts";
import { network, TTL } from "./setting.ts";
import { World } from "./world.ts";

/** For so long nobody may be out of touch, milliseconds. */
const LONGEST_MS = 1000;
const SEEDS = 50;
const HOSTS = 4;

type Config = { readonly [key: string]: Json };

const NETWORK6 = "fd00:5::/48";
const both: readonly Config[] = [
  { Type: "vxlan" },
  { Type: "udp" },
  { Type: "host-gw" },
  { Type: "vxlan", VNI: 7 },
  { Type: "vxlan", DirectRouting: true },
  { Type: "wireguard" },
];

const sealed = { Type: "ipsec", PSK: PRESHARED_KEY };

interface Stack {
  readonly name: string;
  /** Whether none of the backends lets others read its packets, once the network has moved to the first one. */
  readonly isSealed?: true;
  readonly seeds: number;
  readonly config: Config;
  readonly backends: readonly Config[];
}

const stacks: readonly Stack[] = [
  {
    name: "IPv4",
    seeds: SEEDS,
    config: network,
    backends: [...both, { Type: "ipip" }, { Type: "ipip", DirectRouting: true }, sealed],
  },
  {
    name: "encrypted",
    isSealed: true,
    seeds: SEEDS / 10,
    config: network,
    backends: [{ Type: "wireguard" }, sealed],
  },
  {
    name: "IPv6",
    seeds: SEEDS / 5,
    config: { EnableIPv4: false, EnableIPv6: true, IPv6Network: NETWORK6 },
    backends: both,
  },
  {
    name: "dual stack",
    seeds: (2 * SEEDS) / 5,
    config: { ...network, EnableIPv6: true, IPv6Network: NETWORK6 },
    backends: both,
  },
];

/** Watches every pair, by each family, at every moment at which nothing goes on. */
class Watch {
  longest = { ms: 0, what: "" };
  /** The pairs of which a packet went in clear. */
  readonly inClear = new Set<string>();
  readonly #since = new Map<string, number>();
  readonly #world: World;
  /** Those that have joined, whatever has become of them. */
  readonly #stations = new Map<SimHost, readonly Station[]>();

  constructor(world: World) {
    this.#world = world;
    world.clock.settled = () => this.#look();
  }

  #look(): void {
    const now = this.#world.clock.monotonic();
    shakeHands(this.#world.hosts.map(({ stack }) => stack.objects));
    for (const host of this.#world.hosts) {
      if (host.subnet !== undefined && !this.#stations.has(host)) this.#stations.set(host, stationsOf(host));
    }
    const stations = [...this.#stations.values()].flat();
    for (const from of stations) {
      for (const to of stations) {
        const family = familyOf(from.address);
        if (from === to || familyOf(to.address) !== family) continue;
        const pair = `${from.address} to ${to.address}`;
        const range = family === 4 ? network.Network : NETWORK6;
        if (isInClear(from, to, range)) this.inClear.add(pair);
        const why = lostBetween(from, to, range);
        if (why === undefined) {
          this.#since.delete(pair);
          continue;
        }
        const since = this.#since.get(pair) ?? now;
        this.#since.set(pair, since);
        if (now - since > this.longest.ms) this.longest = { ms: now - since, what: `${pair}: ${why}` };
      }
    }
  }
}

/** One for each half of the host's lease. */
function stationsOf({ n, agent, stack: { objects }, xfrm }: SimHost): Station[] {
  const { subnet, subnet6 } = agent!.state.own!;
  return [subnet, ...subnet6 === undefined ? [] : [subnet6]].map((half) => ({
    address: familyOf(half) === 4 ? `192.0.2.${n}` : `2001:db8::${n}`,
    subnet: half,
    objects,
    xfrms: xfrm.objects,
  }));
}

/** One thing that happens to a host, and is over before its lease ends. */
function befall(world: World): void {
  const host = world.pick(world.hosts);
  const ms = world.pick([100, 1500, 8000, 20_000]);
  const what = world.pick(["crash", "freeze", "away", "black-hole", "nothing"] as const);
  world.tell(`${host.name}: ${what} for ${ms} ms`);
  const { life } = host;
  if (what === "crash") host.kill();
  else if (what === "freeze") life?.gate.shut();
  else if (what !== "nothing") host.reach = what;
  world.clock.sleep(ms).then(() => {
    if (world.isOver) return;
    if (what === "crash") host.start();
    else if (what === "freeze") {
      // One that was killed meanwhile stays so.
      if (host.life === life) life?.gate.open();
    } else if (what !== "nothing") host.reach = "well";
  });
}

async function movedThrough(seed: number, { config, backends, isSealed }: Stack): Promise<void> {
  using world = new World({ seed, config });
  for (let n = 1; n <= HOSTS; n++) world.host(n);
  await world.start();
  await advance(world, 10_000);
  const watch = new Watch(world);
  if (isSealed) {
    world.admin.put("config", { ...config, Backend: backends[0]! });
    await advance(world, 30_000);
    watch.inClear.clear();
  }
  for (let round = 0; round < 3; round++) {
    const to = world.pick(backends);
    world.tell(`to ${JSON.stringify(to)}`);
    if (world.chance.random(2) === 0) befall(world);
    world.admin.put("config", { ...config, Backend: to });
    await advance(world, world.pick([0, 1, 20, 300]));
    befall(world);
    await advance(world, world.pick([0, 50, 2000, 30_000]));
  }
  await requireMoved(world, watch);
  if (isSealed) assert.deepEqual([...watch.inClear], [], `SEED=${seed}: in clear\n${world.story.join("\n")}`);
}

/** A host joins amidst the move; at half of the times another one cannot follow, and stays as it is. */
async function joinedAmidst(seed: number): Promise<void> {
  using world = new World({ seed });
  for (let n = 1; n < HOSTS; n++) world.host(n);
  await world.start();
  const before = world.pick([{ Type: "vxlan", VNI: 7 }, { Type: "host-gw" }]);
  world.admin.put("config", { ...network, Backend: before });
  await advance(world, 30_000);
  const watch = new Watch(world);
  const left = world.pick([undefined, world.hosts[0]!]);
  left?.life?.kernel.lacks.add("tun").add("vxlan").add("wireguard");
  const to = world.pick([{ Type: "vxlan" }, { Type: "udp" }, { Type: "wireguard" }]);
  world.tell(`to ${to.Type}; ${left?.name ?? "nobody"} cannot follow`);
  // As the command leaves it, without which nobody takes up what is in clear in an encrypted network.
  const former = to.Type === "wireguard" ? { FormerBackends: [before] } : {};
  world.admin.put("config", { ...network, ...former, Backend: to });
  await advance(world, world.pick([0, 1, 5, 20, 50, 300, 2000, 30_000]));
  world.host(HOSTS).start();
  await advance(world, world.pick([5000, 2 * TTL * 1000]));
  left?.life?.kernel.lacks.clear();
  await requireMoved(world, watch);
}

/** Everybody has been in touch all the time, and all have nothing but the new plane in the end. */
async function requireMoved(world: World, watch: Watch): Promise<void> {
  const { seed } = world;
  await advance(world, 2 * TTL * 1000);
  const told = world.story.join("\n");
  assert.ok(
    watch.longest.ms < LONGEST_MS,
    `SEED=${seed}: ${watch.longest.ms} ms, ${watch.longest.what}\n${told}`,
  );
  for (const host of world.hosts) {
    const { plan, move } = host.agent!.state;
    assert.equal(move, undefined, `SEED=${seed}: ${host.name} still moves\n${told}`);
    const links = [...host.stack.objects.values()].filter((one) =>
      one.kind === "link" && /^flan/.test(one.name)
    );
    const wanted = plan.objects.filter(({ kind }) => kind === "link");
    assert.equal(links.length, wanted.length, `SEED=${seed}: nothing of a former plane is left\n${told}`);
    const rules = [...host.xfrm.objects.values()].filter((one) => one.kind === "xfrm-policy");
    const excepted = rules.filter(({ action, source }) => action === "pass" && source !== host.subnet);
    assert.deepEqual(excepted, [], `SEED=${seed}: ${host.name} lets somebody in past ipsec\n${told}`);
  }
}

async function advance(world: World, ms: number): Promise<void> {
  await world.clock.turn();
  await world.clock.advance(ms);
}

for (const stack of stacks) {
  const { name, seeds } = stack;
  Deno.test(`no pair of hosts is out of touch for a second while their ${name} network moves (${seeds} seeds)`, async () => {
    for (let seed = 1; seed <= seeds; seed++) await movedThrough(seed, stack);
  });
}

Deno.test(`who joins while the network moves is in touch with all, also with those that stay behind (${SEEDS / 2} seeds)`, async () => {
  for (let seed = 1; seed <= SEEDS / 2; seed++) await joinedAmidst(seed);
});
