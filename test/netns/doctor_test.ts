/** Faults made by hand on hosts of a real network, each named by `flan doctor` with its code. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { datagramsFile } from "../lib/datagrams.ts";
import { type Hosts, hostTest } from "../lib/hosts.ts";
import { udp } from "../lib/planes.ts";

/** The codes that the doctor finds on a host, each once. */
async function codes(hosts: Hosts, host: LabHost): Promise<{ code: number; found: string[] }> {
  const { code, stdout, stderr } = await hosts.lab.flan(host, ["doctor", "-o", "json"]);
  assert.equal(stderr, "");
  const { items } = JSON.parse(stdout) as { items: { code: string }[] };
  return { code, found: [...new Set(items.map((one) => one.code))].sort() };
}

/** Starts a program that takes a UDP port, and waits until it has it. */
async function take(hosts: Hosts, host: LabHost, port: number): Promise<void> {
  const echo = [Deno.execPath(), "run", "--quiet", "--allow-all", datagramsFile, "echo", String(port)];
  await hosts.start(host, echo).out.line(/echoing/);
}

const on = (host: LabHost, ...argv: string[]) => must(["ip", "netns", "exec", host.namespace, ...argv]);

/** What is done to the host while its agent runs, what is found then, and how it is undone. */
const faults: readonly [name: string, make: string, found: readonly string[], undo: string][] = [
  [
    "forwarding is off",
    "sysctl -qw net.ipv4.ip_forward=0",
    ["forwarding-off"],
    "sysctl -qw net.ipv4.ip_forward=1",
  ],
  [
    "the underlay filters strictly",
    "sysctl -qw net.ipv4.conf.eth0.rp_filter=1",
    ["rp-filter-strict"],
    "sysctl -qw net.ipv4.conf.eth0.rp_filter=0",
  ],
  [
    "a bridge is too large",
    "ip link set dev cni0 mtu 1500",
    ["bridge-mtu"],
    "ip link set dev cni0 mtu 1450",
  ],
  [
    "a bridge of others lies in the network",
    "ip address add 10.244.200.1/24 dev lo",
    ["network-overlap"],
    "ip address del 10.244.200.1/24 dev lo",
  ],
];

hostTest(
  "doctor: faults on a host with an agent are named one by one",
  { lab: "doctor", hosts: 1 },
  async (hosts, t) => {
    const member = await hosts.join(hosts.at(1));
    const { host } = member;
    const well = ["all", "default", "eth0", "flan.1"].map((name) => `net/ipv4/conf/${name}/rp_filter=0`);
    await on(host, "sysctl", "-qw", "net/ipv4/ip_forward=1", ...well);
    await hosts.ip(host, "link set dev cni0 mtu 1450");
    assert.deepEqual(await codes(hosts, host), { code: 0, found: [] });
    for (const [name, make, found, undo] of faults) {
      await t.step(name, async () => {
        await on(host, ...make.split(" "));
        assert.deepEqual((await codes(hosts, host)).found, found);
        await on(host, ...undo.split(" "));
      });
    }
    await t.step("a program holds the port, and no agent runs that could say so", async () => {
      await member.agent.end();
      await hosts.ip(host, "link delete flan.1");
      await take(hosts, host, 8472);
      assert.deepEqual(await codes(hosts, host), { code: 3, found: ["agent-down", "drift", "port-taken"] });
    });
  },
);

hostTest(
  "doctor: another program on the proxy's port is named before a host joins",
  { lab: "doctor-udp", hosts: 1, plane: udp },
  async (hosts) => {
    const host = hosts.at(1);
    await take(hosts, host, 8285);
    const env = { ...host.env, FLAN_BACKEND: "udp" };
    const { stdout } = await hosts.lab.flan({ ...host, env }, ["doctor"]);
    assert.match(stdout, /^! port-taken {2}UDP port 8285 is taken by deno\[\d+\] at \S+\n/);
  },
);
