/** Each fault on a host is found by its code, with its remedy, and what is no fault is not. */
import assert from "node:assert/strict";
import type { InputChain, UdpSocket } from "../../doctor/facts.ts";
import type { Payload } from "../../doctor/input_chains.ts";
import { checks, diagnose } from "../../doctor/diagnose.ts";
import { healthCodes } from "../../agent/health/codes.ts";
import { doctorCodes } from "../../agent/health/doctor_codes.ts";
import { config } from "../lib/overlay.ts";
import { range6 } from "../lib/stacks.ts";
import { address, type Changed, factsOf, link, proxy, route, sysctl, tunnel } from "./facts.ts";

const socket = (port: number): UdpSocket => ({ address: "0.0.0.0", port, holder: "named[812]" });
const idle = {
  joined: true,
  once: false,
  start: "flan up --detach --ip-masq",
  state: "none",
  version: undefined,
  problems: [],
} as const;
const lost = {
  code: "underlay-missing",
  severity: "high",
  subject: "eth0",
  message: "m",
  remedy: "r",
} as const;
const planned = {
  kind: "route",
  destination: "10.5.2.0/24",
  metric: 0,
  link: "flan.1",
  gateway: "",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: 113,
} as const;
const hole = { ...planned, destination: "10.5.2.128/25", link: "", type: "blackhole", protocol: 3 } as const;
const unit = (name: string, text: string) => ({ path: `/etc/systemd/network/${name}`, text: { seen: text } });
const named = unit("a.link", "[Match]\nOriginalName=flan.*\n[Link]\nMACAddress=02:00:00:00:00:01\n");
const running = (text: string) => ({
  networkd: { isRunning: true, linkFiles: [], networkFiles: [unit("a.network", text)] },
});

const FORWARD6 = "net/ipv6/conf/all/forwarding";
const dual = { config: { ...config(), ipv6: range6 }, own6: "fd00:5:0:1::/64" };
const bridge6 = [address("fd00:5:0:1::1/64", "cni0")];

const udp = (port: number): Payload => ({ protocol: "udp", port });
const chain = (change: Partial<InputChain>): InputChain => ({
  chain: "inet fw in",
  program: "nft",
  payload: udp(8472),
  link: "eth0",
  isProbe: false,
  fate: "passes",
  ...change,
});

/** What each is: its name, what is changed, and the codes that are found with what they are about. */
const faults: readonly [name: string, changed: Changed, found: readonly string[]][] = [
  ["nothing", {}, []],
  ["a host that has not joined", {
    network: { own: undefined, planned: [tunnel("flan.1")] },
    gone: ["flan.1"],
    agent: { seen: { ...idle, joined: false } },
    there: [sysctl("net/ipv4/ip_forward", "0")],
    dropping: { seen: ["ip filter FORWARD"] },
  }, ["network-overlap 10.5.0.0/16"]],
  ["a library missing", { lacks: [{ what: "library", message: "Cannot open", hint: "apt-get" }] }, [
    "library-missing library",
  ]],
  ["a kernel without vxlan", { lacks: [{ what: "feature", message: "Cannot use vxlan", hint: undefined }] }, [
    "kernel-lacks feature",
  ]],
  ["the VXLAN port with a program", { gone: ["flan.1"], udp: { seen: [socket(8472)] } }, [
    "port-taken udp/8472",
  ]],
  ["the VXLAN port with the own device", { udp: { seen: [socket(8472)] } }, []],
  ["the VXLAN port with another VXLAN device", {
    gone: ["flan.1"],
    there: [tunnel("vx9", { vxlan: { ...tunnel("").vxlan!, vni: 9 } })],
    udp: { seen: [socket(8472)] },
  }, []],
  ["the VNI with another device", { gone: ["flan.1"], there: [tunnel("vx1", { up: false })] }, [
    "vni-taken vx1",
  ]],
  [
    "the VNI on another port",
    { there: [tunnel("vx1", { vxlan: { ...tunnel("").vxlan!, port: 4789 } })] },
    [],
  ],
  ["the proxy's port with a program", { network: { planned: [proxy] }, udp: { seen: [socket(8285)] } }, [
    "port-taken udp/8285",
  ]],
  ["the proxy's port with the proxy", {
    network: { planned: [proxy], devices: ["flan0"] },
    there: [proxy],
    udp: { seen: [socket(8285)] },
  }, []],
  ["a blackhole for a part of a peer's subnet", { network: { intruders: [{ planned, found: hole }] } }, [
    "foreign-route route 10.5.2.0/24 dev flan.1",
  ]],
  ["somebody's route to a peer's subnet", {
    network: { intruders: [{ planned, found: { ...planned, link: "eth0", protocol: 3 } }] },
    there: [{ ...planned, link: "eth0", protocol: 3 }],
  }, ["foreign-route route 10.5.2.0/24 dev flan.1"]],
  ["docker0 in the network", { there: [address("10.5.7.1/24", "docker0")] }, ["network-overlap 10.5.0.0/16"]],
  ["the VNI with a device of the other family", {
    there: [tunnel("vx6", { vxlan: { ...tunnel("").vxlan!, local: "2001:db8::1" } })],
  }, []],
  ["IPv6 not forwarded", { network: dual, there: [...bridge6, sysctl(FORWARD6, "0")] }, [
    "forwarding-off net.ipv6.conf.all.forwarding",
  ]],
  ["IPv6 not forwarded where nobody needs it", { there: [...bridge6, sysctl(FORWARD6, "0")] }, []],
  ["chains that drop IPv6", {
    network: dual,
    dropping: { seen: ["ip6 filter FORWARD", "FORWARD (ip6tables)"] },
  }, ["forward-drop ip6 filter FORWARD", "forward-drop FORWARD (ip6tables)"]],
  ["chains that drop IPv6 of others", { dropping: { seen: ["ip6 filter FORWARD"] } }, []],
  ["the IPv6 half over an own route", { network: dual, there: [route("fd00:5:0:9::/64", "eth0")] }, [
    "network-overlap fd00:5::/48",
  ]],
  ["a device with another MTU", { there: [tunnel("flan.1", { alias: "flan 11aa", mtu: 1400 })] }, [
    "mtu-mismatch flan.1",
  ]],
  ["a bridge that is too large", { there: [link("cni0", { type: "bridge" })] }, ["bridge-mtu cni0"]],
  ["a veth in the own subnet that is larger", { there: [link("cni0", { type: "veth" })] }, []],
  ["no forwarding", { there: [sysctl("net/ipv4/ip_forward", "0")] }, ["forwarding-off net.ipv4.ip_forward"]],
  ["an input chain without a rule for the port", {
    input: { seen: [chain({ fate: "dropped" })] },
  }, ["input-drop inet fw in, UDP port 8472"]],
  ["an input chain that drops ESP", {
    input: { seen: [chain({ payload: { protocol: "esp" }, fate: "dropped" })] },
  }, ["input-drop inet fw in, ESP"]],
  ["an input chain that drops what hosts measure by", {
    input: {
      seen: [chain({ payload: udp(8473), isProbe: true, fate: "dropped" }), chain({ fate: "passes" })],
    },
  }, ["probe-drop inet fw in, UDP port 8473"]],
  ["an input chain that lets the port in, or may do so", {
    input: {
      seen: (["passes", "unknown"] as const).map((fate) => chain({ fate })),
    },
  }, []],
  ["a DROP policy", { dropping: { seen: ["ip filter FORWARD"] } }, ["forward-drop ip filter FORWARD"]],
  ["a DROP policy that bridges meet", {
    dropping: { seen: ["ip filter FORWARD"] },
    there: [sysctl("net/bridge/bridge-nf-call-iptables", "1")],
  }, ["forward-drop ip filter FORWARD", "bridge-netfilter net.bridge.bridge-nf-call-iptables"]],
  ["bridges that meet a filter that drops nothing", {
    there: [sysctl("net/bridge/bridge-nf-call-iptables", "1")],
  }, []],
  ["a strict device", { there: [sysctl("net/ipv4/conf/flan.1/rp_filter", "1")] }, [
    "rp-filter-strict flan.1",
  ]],
  ["all links strict, and the device loose", {
    there: [sysctl("net/ipv4/conf/all/rp_filter", "1"), sysctl("net/ipv4/conf/flan.1/rp_filter", "2")],
  }, []],
  ["a strict underlay", {
    network: { underlay: { link: "eth0", mtu: 1500 } },
    there: [sysctl("net/ipv4/conf/all/rp_filter", "1"), sysctl("net/ipv4/conf/flan.1/rp_filter", "2")],
  }, ["rp-filter-strict eth0"]],
  ["a .link file with a MAC", {
    networkd: { isRunning: false, linkFiles: [named], networkFiles: [] },
  }, ["mac-policy /etc/systemd/network/a.link"]],
  ["a .link file behind one that keeps the MAC", {
    networkd: {
      isRunning: false,
      linkFiles: [unit("0.link", "[Match]\nKind=vxlan\n[Link]\nMACAddressPolicy=none"), named],
      networkFiles: [],
    },
  }, []],
  ["a .network file for every link", running("[Match]\nName=*\n[Network]\nDHCP=yes"), [
    "networkd-routes /etc/systemd/network/a.network",
  ]],
  ["a .network file for others", running("[Match]\nName=en* eth*\n[Network]\nDHCP=yes"), []],
  ["a .network file for all but flan's", running("[Match]\nName=!flan.*\n"), []],
  ["a .network file for a MAC", running("[Match]\nName=*\nMACAddress=02:00:00:00:00:01\n"), []],
  ["a .network file that leaves the device alone", running("[Match]\nName=flan*\n[Link]\nUnmanaged=yes"), []],
  ["a bad lease in the store", {
    store: {
      seen: [{ code: "overlap", severity: "high", subject: "10.5.2.0/24", message: "m", remedy: "r" }],
    },
  }, ["overlap 10.5.2.0/24"]],
  ["no underlay", { network: { noUnderlay: "there is no default route" } }, ["underlay-missing underlay"]],
  ["no underlay, and an agent that says so", {
    network: { noUnderlay: "there is no default route" },
    agent: { seen: { ...idle, state: "running", version: "1.2.3", problems: [lost] } },
  }, ["underlay-missing eth0"]],
  ["an underlay without a route but flan's own", {
    network: { underlay: { link: "eth1", mtu: 1500 } },
    there: [
      link("eth1"),
      route("10.5.2.0/24", "eth1", { gateway: "192.0.2.2", protocol: 113 }),
      route("fe80::/64", "eth1"),
    ],
  }, ["underlay-missing eth1"]],
  ["an underlay that is down", {
    network: { underlay: { link: "eth0", mtu: 1500 } },
    there: [link("eth0", { up: false })],
  }, ["underlay-missing eth0"]],
  ["no agent on a host that has joined", { agent: { seen: idle } }, ["agent-down agent"]],
  ["drift without an agent", { agent: { seen: idle }, network: { drift: ["link flan.1", "route a"] } }, [
    "agent-down agent",
    "drift link flan.1",
  ]],
  ["drift on a host that joined with up --once", {
    agent: { seen: { ...idle, once: true } },
    network: { drift: ["link flan.1"] },
  }, ["drift link flan.1"]],
  ["drift beside an agent, which mends it", { network: { drift: ["link flan.1"] } }, []],
  ["an agent of another version", { agent: { seen: { ...idle, state: "running", version: "1.2.2" } } }, [
    "agent-version agent",
  ]],
  ["subnet.env missing", { subnetFile: { path: "/s", text: { seen: undefined } } }, ["subnet-file /s"]],
  ["subnet.env of another subnet", {
    subnetFile: {
      path: "/s",
      text: { seen: "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.2.1/24\nFLANNEL_MTU=1450\n" },
    },
  }, ["subnet-file /s"]],
  ["a state directory that is read-only", { stateDir: { path: "/v", problem: "Read-only file system" } }, [
    "state-dir /v",
  ]],
];

for (const [name, changed, expected] of faults) {
  Deno.test(`doctor: ${name} is ${expected.length === 0 ? "no fault" : `told as ${expected.join(" and ")}`}`, () => {
    const { findings, checks } = diagnose(factsOf(changed));
    assert.deepEqual(findings.map(({ code, subject }) => `${code} ${subject}`).sort(), [...expected].sort());
    for (const { message, remedy } of findings) assert.ok(message !== "" && remedy !== "");
    const worst = checks.filter(({ state }) => state === "high" || state === "warning");
    assert.equal(worst.length === 0, expected.length === 0);
  });
}

Deno.test("doctor: every code of its own is found in one of these cases", () => {
  const told = new Set(faults.flatMap(([, , found]) => found.map((one) => one.split(" ")[0])));
  // The stores tell of the clock; their tests are beside them.
  const missing = Object.keys(doctorCodes).filter((code) => code !== "clock-skew" && !told.has(code));
  assert.deepEqual(missing, []);
  for (const code of Object.keys(doctorCodes)) assert.ok(Object.hasOwn(healthCodes, code));
});

Deno.test("doctor: a route in a peer's way is to be taken away, and the plan is not said to be well", () => {
  const { findings: [found], checks } = diagnose(
    factsOf({ network: { intruders: [{ planned, found: hole }] } }),
  );
  assert.equal(
    found?.message,
    "Route blackhole 10.5.2.128/25 is not flan's, and takes packets of route 10.5.2.0/24 dev flan.1",
  );
  assert.equal(found?.remedy, "ip route delete blackhole 10.5.2.128/25 protocol 3");
  assert.equal(checks.find(({ name }) => name === "plan")?.state, "high");
});

Deno.test("doctor: the remedy names the flags that the host had joined with", () => {
  const { findings } = diagnose(factsOf({ agent: { seen: idle }, network: { drift: ["link flan.1"] } }));
  assert.deepEqual(findings.map(({ remedy }) => remedy), [
    "flan up --detach --ip-masq",
    "flan routes repair mends it once, flan up --detach --ip-masq for good",
  ]);
});

Deno.test("doctor: on a host that has not joined nothing of flan's is said to be well", () => {
  const { checks } = diagnose(factsOf({ agent: { seen: { ...idle, joined: false } } }));
  for (const name of ["agent", "subnet.env", "plan"]) {
    const { state, unseen } = checks.find((one) => one.name === name)!;
    assert.deepEqual([state, unseen], ["unseen", "this host has joined no network"], name);
  }
});

Deno.test("doctor: severe findings come first, and those that follow from another one say so", () => {
  const { findings } = diagnose(factsOf({
    there: [link("cni0", { type: "bridge" })],
    agent: { seen: idle },
    network: { drift: ["link flan.1"] },
  }));
  assert.deepEqual(findings.map(({ code, because }) => [code, because]), [
    ["agent-down", undefined],
    ["drift", "agent-down"],
    ["bridge-mtu", undefined],
  ]);
});

Deno.test("doctor: what an agent and a check tell of alike is told once", () => {
  const problem = {
    code: "subnet-file",
    severity: "high",
    subject: "/s",
    message: "m",
    remedy: "r",
  } as const;
  const { findings } = diagnose(factsOf({
    subnetFile: { path: "/s", text: { seen: undefined } },
    agent: { seen: { ...idle, state: "running", problems: [problem] } },
  }));
  assert.equal(findings.length, 1);
});

Deno.test("doctor: an underlay that the agent lost is not told to be well", () => {
  const agent = { seen: { ...idle, state: "running", version: "1.2.3", problems: [lost] } } as const;
  const { checks } = diagnose(factsOf({ agent }));
  assert.equal(checks.find(({ name }) => name === "underlay")?.state, "high");
});

Deno.test("doctor: without an underlay nobody says that the kernel is as planned", () => {
  const { checks } = diagnose(factsOf({ network: { noUnderlay: "it is gone" }, agent: { seen: idle } }));
  assert.equal(checks.find(({ name }) => name === "plan")?.state, "unseen");
});

Deno.test("doctor: an input chain is opened in the words of whoever made it, and one that cannot be told is noted", () => {
  const judged = (name: string, change: Partial<InputChain> = {}) => {
    const input = { seen: [chain({ chain: name, fate: "dropped", ...change })] };
    const { findings, checks } = diagnose(factsOf({ input }));
    const { state, unseen } = checks.find(({ name }) => name === "input chains")!;
    return { state, unseen, remedy: findings[0]?.remedy };
  };
  const opened = (chain: string, change?: Partial<InputChain>) => judged(chain, change).remedy;
  assert.equal(opened("inet fw in"), "nft insert rule inet fw in udp dport 8472 accept");
  assert.equal(opened("inet filter INPUT"), "nft insert rule inet filter INPUT udp dport 8472 accept");
  const program = "iptables";
  assert.equal(opened("ip filter INPUT", { program }), "iptables -I INPUT -p udp --dport 8472 -j ACCEPT");
  assert.equal(
    opened("INPUT", { program, payload: udp(8285) }),
    "iptables -I INPUT -p udp --dport 8285 -j ACCEPT",
  );
  assert.equal(
    opened("INPUT (ip6tables)", { program: "ip6tables" }),
    "ip6tables -I INPUT -p udp --dport 8472 -j ACCEPT",
  );
  assert.equal(
    opened("inet firewalld filter_INPUT", { program: "firewall-cmd" }),
    "firewall-cmd --add-port=8472/udp",
  );
  const [esp, ipip] = [{ payload: { protocol: "esp" } }, { payload: { protocol: "ipip" } }] as const;
  assert.equal(opened("inet fw in", ipip), "nft insert rule inet fw in meta l4proto 4 accept");
  assert.equal(opened("ip filter INPUT", { ...esp, program }), "iptables -I INPUT -p 50 -j ACCEPT");
  assert.equal(
    opened("inet firewalld filter_INPUT", { ...esp, program: "firewall-cmd" }),
    "firewall-cmd --add-protocol=50",
  );
  assert.deepEqual(judged("inet fw in", { fate: "unknown" }), {
    state: "unseen",
    unseen: "whether chain inet fw in lets UDP port 8472 in cannot be told",
    remedy: undefined,
  });
  const probed = judged("inet fw in", { fate: "unknown", isProbe: true });
  assert.equal(probed.unseen, undefined, "the network works without");
});

Deno.test("doctor: what cannot be seen is said, and is no fault", () => {
  const hidden = { unseen: "it is dark" };
  const facts = {
    ...factsOf(),
    ...{ isAdmin: false, network: hidden, kernel: hidden, udp: hidden, dropping: hidden, store: hidden },
    input: hidden,
    agent: hidden,
  };
  const report = diagnose(facts);
  assert.deepEqual(report.findings, []);
  const seen = report.checks.filter(({ state }) => state !== "unseen").map(({ name }) => name);
  assert.deepEqual(seen, ["state directory"]);
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length);
});
