/**
 * Agents on a stock kernel, with IPsec: what they make there is encrypted, outlives them, changes its keys by itself, is
 * put back when somebody deletes it, and is gone after `flan down`.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { NumberedTraffic } from "../lib/numbered_traffic.ts";
import { ipsec, type Plane, vxlan } from "../lib/planes.ts";
import { until } from "../lib/until.ts";
import { guestFlan } from "./guest_flan.ts";
import { count, type Counted } from "./wire.ts";

/** Seconds after which keys shall change first: when two hosts have joined. */
const FIRST_CHANGE_S = 40;

/**
 * How long keys last, seconds: so that they change soon, but that an agent may be away, or late, for a minute. They change
 * when the time since 1970 is a multiple of it.
 */
function lifetime(): number {
  const then = Math.round(systemClock.now() / 1000) + FIRST_CHANGE_S;
  const lifetimes = Array.from({ length: 60 }, (_, i) => 60 + i);
  return lifetimes.reduce((best, one) => then % one < then % best ? one : best);
}

const xfrm = async ({ host }: Member, ...words: string[]) =>
  await must(["ip", "-netns", host.namespace, "xfrm", ...words]);

/** Names of the state by which a host sends: what `ip xfrm state` is to be given. */
async function outgoing(member: Member): Promise<string[]> {
  const shown = await xfrm(member, "state", "list", "src", member.host.address);
  const states = [...shown.matchAll(/^src (\S+) dst (\S+)\n\s+proto esp spi (0x\w{8})/gm)];
  const [state] = states.filter(([, , , spi]) => spi !== "0x00000000");
  if (state === undefined) return [];
  return ["src", state[1]!, "dst", state[2]!, "proto", "esp", "spi", state[3]!];
}

/** Waits until a host reaches the others by `plane` alone. */
async function moved(
  { host, subnet, agent }: Member,
  { plane, members }: { plane: Plane; members: readonly Member[] },
): Promise<void> {
  const others = members.map((one) => one.subnet).filter((one) => one !== subnet).join();
  await agent.err.until(`${plane.backend} alone`, async () => {
    const links = await must(["ip", "netns", "exec", host.namespace, "ls", "/sys/class/net"]);
    return links.split(/\s+/).filter((name) => name.startsWith("flan")).join() === plane.device &&
      (await plane.reached(host)).join() === others;
  });
}

/** Insists that packets came, and none in clear. */
async function sealed(wires: readonly Counted[]): Promise<void> {
  for (const wire of wires) {
    assert.equal(await wire.clear(), 0);
    assert.ok(await wire.esp() > 10);
  }
}

/** Everything of flan's that the kernel of a host shows. */
async function left({ host }: Member): Promise<string> {
  const shown =
    "ip xfrm state; ip xfrm policy; ip -brief link | grep flan; ip route show table all proto 113";
  return await must(["ip", "netns", "exec", host.namespace, "sh", "-c", `${shown}; true`]);
}

async function flan(hosts: Hosts, { host }: Member, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await hosts.flan(host, ...args);
  assert.equal(code, 0, `flan ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

hostTest(
  "agents with ipsec: encrypted, whoever of them is killed, as keys change, repaired, and nothing is left",
  { lab: "agents", hosts: 2, plane: ipsec, program: guestFlan() },
  async (hosts, t) => {
    await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
    const args = ["--backend-option", `RekeySeconds=${lifetime()}`];
    let members!: [Member, Member];
    let traffic!: NumberedTraffic;
    await t.step("they join, and their containers reach each other", async () => {
      members = await hosts.joinAll(args) as [Member, Member];
      traffic = await NumberedTraffic.start(hosts, members);
    });
    const [first, second] = members;
    let wires = await Promise.all(members.map(({ host }) => count(host)));
    const before = await Promise.all(members.map(outgoing));

    await t.step("the agent of one is killed, and the next one finds all as it is to be", async () => {
      await first.agent.end("SIGKILL");
      const said = await Promise.all([flan(hosts, second, "status"), traffic.lasts(1000)]);
      assert.match(said[0], /^traffic encrypted: yes \(ipsec\)$/m);
      first.agent = await hosts.up(first.host, args);
      await flan(hosts, first, "routes", "diff");
      await traffic.noneLost();
    });

    await t.step("keys change, and no packet is lost", async () => {
      await Promise.all(members.map((member, i) =>
        member.agent.err.until("other keys", async () => {
          const now = await outgoing(member);
          return now.length > 0 && now.join() !== before[i]!.join();
        })
      ));
      await traffic.lasts(1000);
      await traffic.noneLost();
    });

    await t.step("nothing of it was in clear", () => sealed(wires));

    for (const plane of [vxlan, ipsec]) {
      await t.step(`the network moves to ${plane.backend}`, async () => {
        // To vxlan it takes encryption away.
        await flan(hosts, first, "config", "set", "backend", plane.backend, "--force");
        await Promise.all(members.map((member) => moved(member, { plane, members })));
        await traffic.lasts(1000);
      });
      // How long that is says nothing where all is emulated, but for a network that is cut off.
      await t.step(`${traffic.longestSilence} ms of silence at most`, () => {
        assert.ok(traffic.longestSilence < 10_000);
      });
    }
    wires = await Promise.all(members.map(({ host }) => count(host)));

    await t.step("a state that somebody deletes is put back", async () => {
      const state = await outgoing(second);
      await xfrm(second, "state", "delete", ...state);
      await second.agent.err.until("a state", async () => (await outgoing(second)).length > 0);
      await until(
        "an answer",
        async () => await hosts.lost(second.host, first.container, { count: 1 }) === 0,
      );
      await sealed(wires);
    });

    await t.step("nothing is left of it", async () => {
      assert.notEqual(await left(first), "");
      await Promise.all(members.map(async (member) => {
        // Emulated, it may take longer than `flan down` waits.
        await member.agent.end("SIGTERM");
        await flan(hosts, member, "down");
      }));
      assert.deepEqual(await Promise.all(members.map(left)), ["", ""]);
    });
  },
);
