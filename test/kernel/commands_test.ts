/** The printed commands: their text, and that they do in a real kernel what the plan says. */
import assert from "node:assert/strict";
import { toCommands } from "../../kernel/commands.ts";
import type { Change } from "../../kernel/kernel.ts";
import type { KernelObject, Link, Route } from "../../kernel/state.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { until } from "../lib/until.ts";
import { host, lease, macOf, planned, view } from "../lib/overlay.ts";
import { ipv6Host, ipv6View, mac6Of } from "../lib/stacks.ts";
import { proxy, tun, udpPlanned } from "../lib/udp_plan.ts";

const add = (object: KernelObject): Change => ({ verb: "add", object });
const plan = planned([2]);
const link = plan[0] as Link;
const route = plan.at(-1) as Route;

Deno.test("commands: a join, word for word", () => {
  assert.deepEqual(toCommands(plan.map(add)), [
    `ip link add flan.1 address ${macOf(1)} mtu 1450 ` +
    "type vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 nolearning",
    "ip link set dev flan.1 addrgenmode none",
    "ip link set dev flan.1 alias 'flan 3f2a'",
    "ip link set dev flan.1 up",
    "ip address add 10.5.1.0/32 dev flan.1",
    "ip nexthop add id 168100352 via 10.5.2.0 dev flan.1 onlink protocol 113",
    `bridge fdb add ${macOf(2)} dev flan.1 dst 192.0.2.2 self permanent`,
    `ip neighbour add 10.5.2.0 lladdr ${macOf(2)} dev flan.1 nud permanent protocol 113`,
    "ip route add 10.5.2.0/24 nhid 168100352 protocol 113",
  ]);
});

Deno.test("commands: a join of an IPv6 network, word for word", () => {
  const { objects } = vxlan.plan(ipv6View(view([2])), ipv6Host());
  assert.deepEqual(toCommands(objects.map(add)).slice(1), [
    "ip link set dev flan-v6.1 addrgenmode none",
    "ip link set dev flan-v6.1 alias 'flan 3f2a'",
    "ip link set dev flan-v6.1 up",
    "sysctl -w net/ipv6/conf/flan-v6.1/disable_ipv6=0",
    "sysctl -w net/ipv6/conf/flan-v6.1/accept_ra=0",
    "ip address add fd00:5:0:1::/128 dev flan-v6.1 nodad",
    `bridge fdb add ${mac6Of(2)} dev flan-v6.1 dst 2001:db8::2 self permanent`,
    `ip neighbour add fe80:5:0:2:: lladdr ${mac6Of(2)} dev flan-v6.1 nud permanent protocol 113`,
    "ip route add fd00:5:0:2::/64 via fe80:5:0:2:: dev flan-v6.1 protocol 113",
  ]);
});

Deno.test("commands: a device of the ipip backend, which has no MAC", () => {
  const tunnel: Link = { ...link, name: "flan.ipip", type: "ipip", mac: "", mtu: 1480 };
  const { vxlan: _, ...plain } = tunnel;
  assert.equal(
    toCommands([add({ ...plain, ipip: { local: "192.0.2.1", remote: "" } })])[0],
    "ip link add flan.ipip mtu 1480 type ipip local 192.0.2.1 remote any nopmtudisc",
  );
});

Deno.test("commands: a checksum offload that is to be so is switched before the link is up", () => {
  const made = toCommands([add({ ...link, txChecksum: false })]);
  assert.deepEqual(made.slice(2), [
    "ip link set dev flan.1 alias 'flan 3f2a'",
    "ethtool -K flan.1 tx off",
    "ip link set dev flan.1 up",
  ]);
  const changed = toCommands([{ verb: "replace", object: { ...link, txChecksum: true } }]);
  assert.ok(changed.includes("ethtool -K flan.1 tx on"));
});

Deno.test("commands: a leave, word for word", () => {
  assert.deepEqual(toCommands(plan.toReversed().map((object) => ({ verb: "delete", object }))), [
    "ip route delete 10.5.2.0/24 nhid 168100352 protocol 113",
    "ip neighbour delete 10.5.2.0 dev flan.1",
    `bridge fdb delete ${macOf(2)} dev flan.1 dst 192.0.2.2 self`,
    "ip nexthop delete id 168100352",
    "ip address delete 10.5.1.0/32 dev flan.1",
    "ip link delete dev flan.1",
  ]);
});

Deno.test("commands: routes without a nexthop object, with a metric, to nowhere", () => {
  const commands = toCommands([
    add({ ...route, nexthop: 0, metric: 5 }),
    add({ ...route, nexthop: 0, gateway: "", onlink: false }),
    add({ ...route, nexthop: 0, gateway: "", onlink: false, link: "", type: "unreachable" }),
  ]);
  assert.deepEqual(commands, [
    "ip route add 10.5.2.0/24 via 10.5.2.0 dev flan.1 onlink protocol 113 metric 5",
    "ip route add 10.5.2.0/24 dev flan.1 protocol 113",
    "ip route add unreachable 10.5.2.0/24 protocol 113",
  ]);
});

Deno.test("commands: what a shell would take apart is quoted", () => {
  const hostile: Link = { ...link, alias: "flan $(reboot) 'x'; `y`", up: false };
  const commands = toCommands([{ verb: "replace", object: hostile }]);
  assert.deepEqual(commands.slice(1), [
    "ip link set dev flan.1 alias 'flan $(reboot) '\\''x'\\''; `y`'",
    "ip link set dev flan.1 down",
  ]);
  assert.deepEqual(
    toCommands([{ verb: "replace", object: { ...link, alias: "" } }])[1],
    [
      "ip link set dev flan.1 alias ''",
    ][0],
  );
});

Deno.test("commands: a device without VXLAN, and sysctls, which cannot be deleted", () => {
  const { vxlan: _, ...plain } = link;
  assert.match(toCommands([add({ ...plain, type: "bridge" })])[0]!, / mtu 1450 type bridge$/);
  const object: KernelObject = { kind: "sysctl", name: "net/ipv4/neigh/flan.1/app_solicit", value: "3" };
  assert.deepEqual(toCommands([add(object), { verb: "delete", object }]), [
    "sysctl -w net/ipv4/neigh/flan.1/app_solicit=3",
  ]);
});

Deno.test("commands: a TUN link, its proxy and the way into it, word for word", () => {
  assert.deepEqual(toCommands(udpPlanned([2]).map(add)), [
    "ip tuntap add dev flan0 mode tun vnet_hdr",
    "ip link set dev flan0 mtu 1472 txqueuelen 1000",
    "ip link set dev flan0 addrgenmode none",
    "ip link set dev flan0 alias 'flan 3f2a'",
    "ip link set dev flan0 up",
    "ip address add 10.5.1.0/32 dev flan0",
    "# flan up starts: flan proxy run (UDP 192.0.2.1:8285, device flan0)",
    "# proxy route 10.5.2.0/24 to 192.0.2.2:8285",
    "ip route add 10.5.0.0/16 dev flan0 protocol 113",
  ]);
  const several = { ...tun, tun: { multiQueue: true, queueLength: 4000 } };
  assert.deepEqual(toCommands([add(several)]).slice(0, 2), [
    "ip tuntap add dev flan0 mode tun vnet_hdr multi_queue",
    "ip link set dev flan0 mtu 1472 txqueuelen 4000",
  ]);
});

Deno.test("commands: a TUN link and its proxy that change, and that go", () => {
  const objects = udpPlanned([2]);
  assert.deepEqual(toCommands(objects.slice(0, 4).map((object) => ({ verb: "replace", object }))), [
    "ip link set dev flan0 mtu 1472 txqueuelen 1000",
    "ip link set dev flan0 alias 'flan 3f2a'",
    "ip link set dev flan0 up",
    "ip address replace 10.5.1.0/32 dev flan0",
    "# flan up mends: the proxy (UDP 192.0.2.1:8285, device flan0)",
    "# proxy route 10.5.2.0/24 to 192.0.2.2:8285",
  ]);
  assert.deepEqual(toCommands(objects.toReversed().map((object) => ({ verb: "delete", object }))), [
    "ip route delete 10.5.0.0/16 dev flan0 protocol 113",
    "# no proxy route 10.5.2.0/24 to 192.0.2.2:8285",
    "# flan proxy stop",
    "ip address delete 10.5.1.0/32 dev flan0",
    "ip link delete dev flan0",
  ]);
});

Deno.test("commands: a comment is one line, whatever is in it", () => {
  const hostile = { ...proxy, link: "flan0\nreboot" };
  assert.deepEqual(toCommands([add(hostile)]), [
    "# flan up starts: flan proxy run (UDP 192.0.2.1:8285, device flan0\\u000areboot)",
  ]);
});

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert.ok(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Runs `body` with a fresh namespace that has `eth0` with 192.0.2.1/24. */
async function inNamespace(body: (shell: (script: string) => Promise<string>) => Promise<void>) {
  const name = `flan-cmd-${Deno.pid}`;
  await run("ip", ["netns", "add", name]);
  const shell = (script: string) => run("ip", ["netns", "exec", name, "sh", "-ec", script]);
  try {
    await shell(
      "ip link add eth0 type veth peer name peer0; " +
        // IPv6 addresses would be tentative for a second, and then not.
        "ip link set eth0 addrgenmode none; ip link set peer0 addrgenmode none; ip address add 192.0.2.1/24 dev eth0; " +
        "ip link set eth0 up; ip link set peer0 up",
    );
    // The kernel's own work, which is late on a busy machine.
    await until("eth0 and peer0 are up", async () => {
      const links = JSON.parse(await shell("ip -j link show type veth")) as { operstate: string }[];
      return links.length === 2 && links.every(({ operstate }) => operstate === "UP");
    });
    await body(shell);
  } finally {
    await run("ip", ["netns", "delete", name]);
  }
}

async function canMakeNamespaces(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "needs root on Linux";
  try {
    await run("bridge", ["-V"]);
    return undefined;
  } catch {
    return "needs iproute2";
  }
}

const missing = await canMakeNamespaces();
const suffix = missing === undefined ? "" : ` (skipped: ${missing})`;

/** What `ip -j` and `bridge -j` say of flan.1, in the words of the plan. */
async function readBack(shell: (script: string) => Promise<string>): Promise<Record<string, unknown>> {
  const json = async (script: string) => JSON.parse(await shell(script) || "[]") as Record<string, unknown>[];
  const pick = (row: Record<string, unknown> | undefined, ...keys: string[]) => keys.map((key) => row?.[key]);
  const [device] = await json("ip -j -d link show dev flan.1");
  const info = (device?.linkinfo as { info_data?: Record<string, unknown> } | undefined)?.info_data;
  const addresses = await json("ip -j -4 address show dev flan.1");
  const neighbours = await json("ip -j neighbour show dev flan.1 nud permanent");
  return {
    link: pick(device, "address", "mtu", "ifalias", "inet6_addr_gen_mode"),
    up: (device?.flags as string[]).includes("UP"),
    vxlan: pick(info, "id", "link", "local", "port", "learning", "gbp"),
    addresses: (addresses[0]?.addr_info as Record<string, unknown>[]).map((row) =>
      `${row.local}/${row.prefixlen}`
    ),
    nexthops: (await json("ip -j nexthop show")).map((row) => pick(row, "id", "gateway", "dev", "protocol")),
    fdb: (await json("bridge -j fdb show dev flan.1")).map((row) => pick(row, "mac", "dst", "state")),
    neighbours: neighbours.map((row) => pick(row, "dst", "lladdr", "protocol")),
    routes: (await json("ip -j route show protocol 113")).map((row) =>
      pick(row, "dst", "nhid", "gateway", "dev")
    ),
  };
}

function expected(peers: readonly { n: number; remote: string; mac: string }[]): Record<string, unknown> {
  const id = (n: number) => ((10 * 256 + 5) * 256 + n) * 256;
  return {
    link: [macOf(1), 1450, "flan 3f2a", "none"],
    up: true,
    vxlan: [1, "eth0", "192.0.2.1", 8472, false, undefined],
    addresses: ["10.5.1.0/32"],
    nexthops: peers.map(({ n }) => [id(n), `10.5.${n}.0`, "flan.1", "113"]),
    fdb: peers.map(({ mac, remote }) => [mac, remote, "permanent"]),
    neighbours: peers.map(({ n, mac }) => [`10.5.${n}.0`, mac, "113"]),
    routes: peers.map(({ n }) => [`10.5.${n}.0/24`, id(n), `10.5.${n}.0`, "flan.1"]),
  };
}

function sorted(state: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [
      key,
      key === "fdb" || key === "neighbours"
        ? (value as unknown[]).map((row) => JSON.stringify(row)).sort()
        : value,
    ]),
  );
}

Deno.test({
  name: `commands: run in a namespace they make, change and remove what the plan says${suffix}`,
  ignore: missing !== undefined,
  fn: () =>
    inNamespace(async (shell) => {
      const before = await shell("ip -j link; ip -j address; ip -j route; ip nexthop");
      await shell(toCommands(planned([2, 3]).map(add)).join("\n"));
      const [two, three] = [2, 3].map((n) => ({ n, remote: `192.0.2.${n}`, mac: macOf(n) }));
      assert.deepEqual(sorted(await readBack(shell)), sorted(expected([two!, three!])));

      const moved = planned([lease(2, { publicIp: "192.0.2.99" }), 3]);
      await shell(toCommands(moved.map((object) => ({ verb: "replace", object }))).join("\n"));
      const elsewhere = { ...two!, remote: "192.0.2.99" };
      assert.deepEqual(sorted(await readBack(shell)), sorted(expected([elsewhere, three!])));

      await shell(toCommands(moved.toReversed().map((object) => ({ verb: "delete", object }))).join("\n"));
      assert.equal(await shell("ip -j link; ip -j address; ip -j route; ip nexthop"), before);
    }),
});

Deno.test({
  name: `commands: the on-demand plan's commands are accepted${suffix}`,
  ignore: missing !== undefined,
  fn: () =>
    inNamespace(async (shell) => {
      const wanted = new Set(["10.5.2.7"]);
      const { objects } = vxlan.plan(view([2], { Mode: "on-demand" }), host({ wanted }));
      await shell(toCommands(objects.map(add)).join("\n"));
      assert.equal((await shell("sysctl -n net/ipv4/neigh/flan.1/app_solicit")).trim(), "3");
      assert.match(
        await shell("ip neighbour show dev flan.1"),
        /^10\.5\.2\.7 lladdr \S+ REACHABLE proto 113/,
      );
    }),
});

/** What `ip -j` says of flan0, without what depends on the moment at which it was made. */
async function tunState(shell: (script: string) => Promise<string>): Promise<unknown> {
  const isDown = async () => JSON.parse(await shell("ip -j link show dev flan0"))[0].operstate === "DOWN";
  await until("the kernel notes that nobody reads flan0", isDown);
  const script = "ip -j -d link show dev flan0; ip -j address show dev flan0; ip -j route show dev flan0";
  const lines = (await shell(script)).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line, (key, value) => key === "ifindex" ? undefined : value));
}

/** The changes carried out by flan itself, in the namespace. */
function applied(changes: readonly Change[]): string {
  const at = (path: string) => JSON.stringify(import.meta.resolve(path));
  const program = `
    import { openKernel } from ${at("../../ffi/netlink_kernel.ts")};
    import { systemClock } from ${at("../../agent/clock.ts")};
    const kernel = openKernel({ clock: systemClock });
    const failures = await kernel.apply(${JSON.stringify(changes)});
    if (failures.length > 0) throw failures[0].error;
    kernel.close();
  `;
  return `'${Deno.execPath()}' eval '${program.replaceAll("'", `'\\''`)}'`;
}

Deno.test({
  name: `commands: run in a namespace they make and change the same TUN link as flan does${suffix}`,
  ignore: missing !== undefined,
  fn: () =>
    inNamespace(async (shell) => {
      const before = await shell("ip -j link; ip -j address; ip -j route");
      const several: Link = { ...tun, tun: { multiQueue: true, queueLength: 4000 } };
      const change: Link = {
        ...tun,
        mtu: 1300,
        alias: "flan again",
        tun: { multiQueue: false, queueLength: 7 },
      };
      const kernels = udpPlanned([2]).filter(({ kind }) => kind !== "proxy" && kind !== "proxy-route");
      for (const plan of [udpPlanned([2]), [several], [...kernels, change]]) {
        const states = [];
        const changes = plan.map((object): Change =>
          object === change ? { verb: "replace", object } : add(object)
        );
        const own = changes.filter(({ object }) => object.kind !== "proxy" && object.kind !== "proxy-route");
        for (const script of [toCommands(changes).join("\n"), applied(own)]) {
          await shell(script);
          states.push(await tunState(shell));
          await shell(toCommands([{ verb: "delete", object: plan[0]! }]).join("\n"));
        }
        assert.deepEqual(states[0], states[1]);
      }
      assert.equal(await shell("ip -j link; ip -j address; ip -j route"), before);
    }),
});
