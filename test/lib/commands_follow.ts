/** What the commands say of a network of three hosts, family by family, and that the agents mend what is done to it. */
import assert from "node:assert/strict";
import type { Family } from "../../net/ip.ts";
import type { Hosts, Member } from "./hosts.ts";
import { drop, mend, nft, ping, states } from "./pinging.ts";
import { until } from "./until.ts";

/** A network of three hosts, IPv6 among its families. Its last host has no agent afterwards, and its first has left. */
export interface Followed {
  readonly hosts: Hosts;
  readonly t: Deno.TestContext;
  readonly members: readonly [Member, Member, Member];
  /** What fits the overlay of each family. */
  readonly mtu: Readonly<Partial<Record<Family, number>>>;
  /** Lines of `ip`, with `; ` between them, that take addresses, routes and sysctls of IPv6 along. */
  readonly deeds: readonly string[];
}

/** The steps, in their order. */
export async function commandsFollow(network: Followed): Promise<void> {
  const { t } = network;
  await t.step(
    "flan ping measures each family for itself, with its whole MTU",
    () => pingMeasures(network),
  );
  await t.step(
    "routes explain follows a packet, and somebody's deed is found and mended",
    () => deedsAreMended(network),
  );
  await t.step(
    "a host whose agent is dead is reached by echoes of each family",
    () => deadAgentIsReached(network),
  );
  await t.step("down leaves nothing behind", () => downLeavesNothing(network));
}

async function pingMeasures({ hosts, members: [one, two], mtu }: Followed): Promise<void> {
  const { code, items } = await ping(hosts, one, "--all");
  assert.equal(code, 0, JSON.stringify(items));
  const families = Object.entries(mtu);
  assert.deepEqual(states(items), Array(6 * families.length).fill("ok udp"));
  assert.deepEqual(
    items.map((item) => [item.family, item.mtu]),
    families.flatMap(([family, largest]) => Array(6).fill([`ipv${family}`, largest])),
  );
  await nft(hosts, two, drop(`meta length > ${mtu[6]! - 100}`));
  const named = await ping(hosts, one, two.containers.at(-1)!);
  await nft(hosts, two, mend);
  assert.deepEqual(named.items.map(({ family, state }) => `${family} ${state}`), ["ipv6 hole", "ipv6 ok"]);
}

async function deedsAreMended({ hosts, members: [one, two], deeds }: Followed): Promise<void> {
  const address = two.containers.at(-1)!;
  const explained = await hosts.lab.flan(one.host, ["routes", "explain", address]);
  assert.equal(explained.code, 0, explained.stdout + explained.stderr);
  for (const deed of ["-6 route flush proto 113", ...deeds]) {
    const done = await hosts.lab.on(one.host, ["sh", "-c", `ip ${deed.replaceAll("; ", "; ip ")}`]);
    assert.equal(done.code, 0, done.stderr);
    await until(
      `${address} after ${deed}`,
      async () => await hosts.lost(one.host, address, { count: 1, patience: 1 }) === 0,
    );
  }
  assert.deepEqual(await hosts.status(one.host), { code: 0, problems: [] });
}

async function deadAgentIsReached({ hosts, members: [one, , three] }: Followed): Promise<void> {
  await three.agent.end("SIGKILL");
  for (const address of three.containers) {
    const { items, hosts: rows } = await ping(hosts, one, address);
    assert.deepEqual([states(items), rows.map(({ row }) => row)], [
      ["ok icmp", "unknown null"],
      ["self", "silent"],
    ]);
  }
}

async function downLeavesNothing({ hosts, members: [one] }: Followed): Promise<void> {
  const left = await hosts.lab.flan(one.host, ["down"]);
  assert.equal(left.code, 0, left.stderr);
  assert.deepEqual(await hosts.show(one.host, "ip", "-6 route show proto 113"), []);
  const links = (await hosts.show(one.host, "ip", "link show")).map(({ ifname }) => ifname);
  assert.deepEqual(links, ["lo", "eth0", "cni0"]);
}
