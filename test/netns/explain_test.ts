/** Every hop of a way broken by hand on a real kernel: `explain` names it, its command shows it, `repair` mends it. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { askProxy, showProxy } from "../lib/ask_proxy.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { type Plane, planes } from "../lib/planes.ts";

interface Explained {
  readonly ok: boolean;
  readonly broken: string | null;
  readonly steps: readonly { what: string; state: string; note: string | null; prove: string | null }[];
  readonly repair: { readonly commands: readonly string[]; readonly flan: string | null } | null;
}

interface Fault {
  readonly name: string;
  readonly done: (hosts: Hosts, victim: LabHost, peer: Member) => Promise<unknown>;
  /** The first hop that is broken, and how. */
  readonly broken: string;
  readonly state: string;
  /** What its command prints then. */
  readonly shows: RegExp;
  /** How it is undone where flan does not mend it. */
  readonly undone?: (hosts: Hosts, victim: LabHost, peer: Member) => Promise<unknown>;
  /** Explained for a container's packet. */
  readonly from?: boolean;
}

const gatewayOf = (peer: Member) => peer.subnet.split("/")[0]!;
const sysctl = async (hosts: Hosts, host: LabHost, ...settings: string[]) => {
  const { code, stderr } = await hosts.lab.on(host, ["sysctl", "-q", "-w", ...settings]);
  assert.equal(code, 0, stderr);
};

/** What is damaged of any backend. */
const common = ({ device, route }: Plane): readonly Fault[] => [
  {
    name: "the route is deleted",
    done: (hosts, victim, peer) => hosts.ip(victim, `route delete ${route(peer.subnet)}`),
    broken: "route",
    state: "missing",
    shows: /^default via 192\.0\.2\.254 dev eth0/,
  },
  {
    name: "the link is deleted",
    done: (hosts, victim) => hosts.ip(victim, `link delete ${device}`),
    broken: "link",
    state: "missing",
    shows: /does not exist/,
  },
  {
    name: "the address is deleted",
    done: async (hosts, victim) => {
      const [shown] = await hosts.show(victim, "ip", `-4 address show dev ${device}`);
      const { local } = (shown!["addr_info"] as { local: string }[])[0]!;
      await hosts.ip(victim, `address delete ${local}/32 dev ${device}`);
    },
    broken: "address",
    state: "missing",
    shows: new RegExp(`^\\d+: ${device}(?![^]*inet )`),
  },
];

/** What goes wrong around flan, of which the backend makes no difference. */
const around: readonly Fault[] = [
  {
    name: "somebody's longer prefix wins",
    done: (hosts, victim, peer) => hosts.ip(victim, `route add ${peer.container}/32 via 192.0.2.254`),
    broken: "route",
    state: "foreign",
    shows: /via 192\.0\.2\.254 dev eth0/,
    undone: (hosts, victim, peer) => hosts.ip(victim, `route delete ${peer.container}/32`),
  },
  {
    name: "a policy rule's table wins",
    done: (hosts, victim, peer) =>
      hosts.ip(victim, "route add default via 192.0.2.254 table 77", `rule add to ${peer.subnet} lookup 77`),
    broken: "route",
    state: "foreign",
    shows: /table 77/,
    undone: (hosts, victim, peer) =>
      hosts.ip(victim, "route delete default table 77", `rule delete to ${peer.subnet} lookup 77`),
  },
  {
    name: "the underlay's MTU is lowered",
    done: (hosts, victim) => hosts.ip(victim, "link set eth0 mtu 1400"),
    broken: "link",
    state: "wrong",
    shows: /mtu 1450 /,
    undone: (hosts, victim) => hosts.ip(victim, "link set eth0 mtu 1500"),
  },
  {
    name: "no route leads to the peer",
    done: (hosts, victim, peer) => hosts.ip(victim, `route add unreachable ${peer.host.address}`),
    broken: "underlay",
    state: "missing",
    shows: /No route to host/,
    undone: (hosts, victim, peer) => hosts.ip(victim, `route delete unreachable ${peer.host.address}`),
  },
  {
    name: "a container's packets fail the reverse-path filter",
    done: async (hosts, victim) => {
      await sysctl(hosts, victim, "net/ipv4/conf/cni0/rp_filter=1");
      // The way back to the container then leads elsewhere.
      await hosts.ip(victim, "route add 10.244.1.128/25 via 192.0.2.254");
    },
    broken: "source",
    state: "wrong",
    shows: /Invalid argument|Invalid cross-device link/,
    undone: (hosts, victim) => hosts.ip(victim, "route delete 10.244.1.128/25"),
    from: true,
  },
  {
    name: "nothing is forwarded",
    done: (hosts, victim) => sysctl(hosts, victim, "net/ipv4/ip_forward=0"),
    broken: "source",
    state: "wrong",
    shows: /No route to host/,
    undone: (hosts, victim) => sysctl(hosts, victim, "net/ipv4/ip_forward=1"),
    from: true,
  },
];

const ofVxlan: readonly Fault[] = [
  {
    name: "the nexthop is deleted",
    done: async (hosts, victim, peer) => {
      const all = await hosts.show(victim, "ip", "nexthop show");
      const { id } = all.find((row) => row["gateway"] === gatewayOf(peer)) as { id: number };
      await hosts.ip(victim, `nexthop delete id ${id}`);
    },
    broken: "nexthop",
    state: "missing",
    shows: /^$|does not exist|No such/,
  },
  {
    name: "the neighbour gets another MAC",
    done: (hosts, victim, peer) =>
      hosts.ip(
        victim,
        `neighbour replace ${gatewayOf(peer)} lladdr 02:00:00:00:00:99 dev flan.1 protocol 113`,
      ),
    broken: "neighbour",
    state: "wrong",
    shows: /lladdr 02:00:00:00:00:99/,
  },
  {
    name: "the FDB entry is deleted",
    done: async (hosts, victim, peer) => {
      const all = await hosts.show(victim, "bridge", "fdb show dev flan.1");
      const { mac } = all.find((row) => row["dst"] === peer.host.address) as { mac: string };
      await hosts.bridge(victim, `fdb delete ${mac} dev flan.1`);
    },
    broken: "fdb",
    state: "missing",
    shows: /Fdb entry not found/,
  },
];

const ofUdp: readonly Fault[] = [
  {
    name: "the table of a rule for the tunnel's packets leads nowhere, and the main one does",
    done: (hosts, victim) =>
      hosts.ip(victim, "route add blackhole default table 100", "rule add from 192.0.2.1 lookup 100"),
    broken: "underlay",
    state: "missing",
    shows: /Invalid argument/,
    undone: (hosts, victim) =>
      hosts.ip(victim, "rule delete from 192.0.2.1 lookup 100", "route flush table 100"),
  },
  {
    name: "the proxy's route is deleted",
    done: async (_, victim, peer) => {
      await askProxy(victim, { op: "change", put: [], remove: [peer.subnet] });
    },
    broken: "proxy-route",
    state: "missing",
    shows: /^(?![^]*10\.244\.2\.0)|no routes/,
  },
  {
    name: "the proxy is killed",
    done: async (hosts, victim) => {
      const { pid } = (await showProxy(victim))!;
      const proxy = hosts.start(victim, ["tail", `--pid=${pid}`, "-f", "/dev/null"]);
      Deno.kill(pid, "SIGKILL");
      await proxy.ended();
    },
    broken: "proxy",
    state: "missing",
    shows: /No UDP proxy runs/,
  },
];

for (const plane of planes) {
  const where = { lab: `explain-${plane.backend}`, hosts: 2, plane };
  hostTest(
    `explain names the first break of a way, and repair mends it, with ${plane.backend}`,
    where,
    async (hosts, t) => {
      const [victim, peer] = await hosts.joinAll() as [Member, Member];
      const { host } = victim;
      const container = victim.container.replace(/\.1$/, ".200");
      const explain = async (from = false): Promise<Explained & { code: number }> => {
        const args = [
          "routes",
          "explain",
          peer.container,
          ...(from ? ["--from", container] : []),
          "-o",
          "json",
        ];
        const { code, stdout, stderr } = await hosts.lab.flan(host, args);
        assert.ok([0, 3].includes(code), stderr);
        return { code, ...JSON.parse(stdout) };
      };
      const forwarding = async () => {
        const { code, broken, steps } = await explain();
        return [code, broken, ...steps.filter(({ what }) => what === "forwarding").map(({ state }) => state)];
      };
      await sysctl(hosts, host, "net/ipv4/ip_forward=0");
      assert.deepEqual(await forwarding(), [0, null, "skipped"], "containers are cut off, the host is not");
      await sysctl(hosts, host, "net/ipv4/ip_forward=1");
      assert.deepEqual(await forwarding(), [0, null]);
      await t.step("a way by the table of a rule is whole", async () => {
        const source = "rule add from 192.0.2.1 lookup 100";
        const direct = "route add 192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1";
        await hosts.ip(host, source, `${direct} table 100`, "route flush table main dev eth0");
        const { code, stderr } = await hosts.lab.flan(host, ["routes", "explain", peer.container]);
        assert.deepEqual([code, stderr], [0, ""]);
        assert.equal(await hosts.lost(host, peer.container), 0);
        // A metric of that table alone is what the kernel knows of the tunnel's packets.
        await hosts.ip(host, `${direct.replace("add", "change")} table 100 mtu 1300`);
        const narrow = await explain();
        assert.equal(narrow.broken, "size");
        const prove = narrow.steps.find(({ what }) => what === "size")!.prove!;
        assert.match((await hosts.lab.on(host, ["sh", "-c", prove])).stdout, /table 100 .*mtu 1300/s);
        const back = ["add default via 192.0.2.254", "flush table 100"].map((line) => `route ${line}`);
        await hosts.ip(host, direct, ...back, source.replace("add", "delete"));
      });
      await t.step("beside an agent a repair is the agent's", async () => {
        const { code, stdout } = await hosts.lab.flan(host, ["routes", "repair", "-o", "json"]);
        assert.deepEqual([code, JSON.parse(stdout).by], [0, "agent"]);
      });
      // Without it nothing mends what the test breaks.
      await victim.agent.end("SIGKILL");

      const faults = [...common(plane), ...(plane.backend === "udp" ? ofUdp : [...around, ...ofVxlan])];
      for (const { name, done, broken, state, shows, undone, from = false } of faults) {
        await t.step(name, async () => {
          await done(hosts, host, peer);
          const told = await explain(from);
          const step = told.steps.find((one) => one.what === broken)!;
          assert.deepEqual(
            [told.code, told.ok, told.broken, step.state],
            [3, false, broken, state],
            JSON.stringify(told),
          );
          // The command that it names, run as it is by a shell.
          const { stdout, stderr } = await hosts.lab.on(host, ["sh", "-c", runnable(step.prove!)]);
          assert.match(stdout + stderr, shows, step.prove!);
          if (undone !== undefined) await undone(hosts, host, peer);
          else {
            assert.equal(told.repair?.flan, `flan routes repair ${peer.subnet}`);
            const mended = await hosts.lab.flan(host, ["routes", "repair", peer.subnet]);
            assert.equal(mended.code, 0, mended.stderr);
            assert.match(mended.stdout, /^(added|changed) /);
          }
        });
      }
      assert.deepEqual(await explain(true).then(({ code, broken }) => [code, broken]), [0, null]);
      assert.equal(await hosts.lost(host, peer.container), 0);
    },
  );
}

/** `flan` stands for the flan of this tree. */
function runnable(command: string): string {
  return command.replace(/^flan /, () => `${flanCommand([]).join(" ")} `);
}
