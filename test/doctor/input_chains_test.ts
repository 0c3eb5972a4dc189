/** What chains on the input hook do to peers' packets: nobody is said to be locked out whom some rule may let in. */
import assert from "node:assert/strict";
import { lookAtInput } from "../../cmd/doctor/input_facts.ts";
import { askedOnce, type System, thisSystem } from "../../cmd/doctor/system.ts";
import { type Fate, fateIn, type InboundPacket } from "../../doctor/input_chains.ts";
import { iptablesChains } from "../../doctor/iptables_input.ts";
import { nftChains } from "../../doctor/nft_input.ts";

const packet: InboundPacket = {
  family: 4,
  payload: { protocol: "udp", port: 8472 },
  link: "eth0",
  isSymmetric: false,
  isProbe: false,
};
const { payload, link, isProbe } = packet;
type Statement = Readonly<Record<string, unknown>>;

const match = (left: unknown, right: unknown, op = "=="): Statement => ({ match: { op, left, right } });
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } });
const dport = (right: unknown, protocol = "udp") => match(field(protocol, "dport"), right);
const state = (...states: string[]) => match({ ct: { key: "state" } }, states, "in");
const meta = (key: string, right: unknown, op = "==") => match({ meta: { key } }, right, op);
const [accept, drop, counter]: Statement[] = [{ accept: null }, { drop: null }, { counter: { packets: 1 } }];
const jump = (target: string): Statement => ({ jump: { target } });
const vmap = (key: unknown, ...set: [unknown, Statement][]): Statement => ({ vmap: { key, data: { set } } });

/** The JSON of a table whose chains have these rules. */
function table(chains: Readonly<Record<string, readonly (readonly Statement[])[]>>): string {
  const names = Object.keys(chains).map((name) => ({ chain: { family: "inet", table: "t", name } }));
  const rules = Object.entries(chains).flatMap(([chain, list]) =>
    list.map((expr) => ({ rule: { chain, expr } }))
  );
  return JSON.stringify({ nftables: [{ metainfo: {} }, ...names, ...rules] });
}

type Rules = readonly (readonly Statement[])[];

/** The fate in a chain with these rules; `inner` is another one. */
function nft(rules: Rules, { inner = [], of = packet }: { inner?: Rules; of?: InboundPacket } = {}): Fate {
  return fateIn(nftChains(table({ base: rules, inner }), of), { name: "base", policy: "drop" });
}

const established = [state("established", "related"), accept!];
const usual = [established, [meta("iif", "lo"), accept!], [dport(22, "tcp"), accept!], [
  match(field("icmp", "type"), "echo-request"),
  accept!,
]];

const ofNft: readonly (readonly [name: string, fate: Fate, expected: Fate])[] = [
  ["no rule", nft([]), "dropped"],
  ["the usual rules, none of which is for it", nft(usual), "dropped"],
  ["its port", nft([...usual, [dport(8472), counter!, accept!]]), "passes"],
  ["a set of ports with its own", nft([[dport({ set: [22, 8472] }), accept!]]), "passes"],
  ["a range of ports with its own", nft([[dport({ range: [8000, 9000] }), accept!]]), "passes"],
  ["ports of which none is its own", nft([[dport({ set: [22, { range: [80, 90] }] }), accept!]]), "dropped"],
  ["a set with a name", nft([[dport("@open"), accept!]]), "unknown"],
  [
    "the port of whatever transport",
    nft([[meta("l4proto", { set: ["tcp", "udp"] }), dport(8472, "th"), accept!]]),
    "passes",
  ],
  ["all of its link", nft([[meta("iifname", "eth*"), accept!]]), "passes"],
  ["all of other links", nft([[meta("iifname", { set: ["lo", "wlan*"] }), accept!]]), "dropped"],
  ["all but of its link", nft([[meta("iifname", "eth0", "!="), accept!]]), "dropped"],
  [
    "some addresses",
    nft([[match(field("ip", "saddr"), { prefix: { addr: "192.0.2.0", len: 24 } }), accept!]]),
    "unknown",
  ],
  ["so much of it", nft([[dport(8472), { limit: { rate: 5 } }, accept!]]), "unknown"],
  ["what iptables knows", nft([[{ xt: { type: "match", name: "multiport" } }, accept!]]), "unknown"],
  ["new connections", nft([[state("new"), accept!]]), "passes"],
  [
    "a verdict map of states",
    nft([[vmap({ ct: { key: "state" } }, ["established", accept!], ["invalid", drop!])]]),
    "dropped",
  ],
  ["a verdict map of ports", nft([[vmap(field("udp", "dport"), [53, drop!], [8472, accept!])]]), "passes"],
  ["a verdict map of TCP", nft([[vmap(field("tcp", "dport"), [8472, accept!])]]), "dropped"],
  ["another chain", nft([[jump("inner")]], { inner: [[dport(8472), accept!]] }), "passes"],
  ["another chain, perhaps", nft([[dport("@some"), jump("inner")]], { inner: [[accept!]] }), "unknown"],
  [
    "another chain that drops it",
    nft([[jump("inner")], [dport(8472), accept!]], { inner: [[drop!]] }),
    "dropped",
  ],
  [
    "another chain that returns",
    nft([[jump("inner")], [accept!]], { inner: [[{ return: null }], [drop!]] }),
    "passes",
  ],
  ["a rule behind one that drops all", nft([[{ reject: null }], [dport(8472), accept!]]), "dropped"],
  ["a program", nft([[{ queue: { num: 1 } }]]), "unknown"],
  [
    "chains that call one another without end",
    nft([[jump("inner")]], { inner: [[jump("inner")]] }),
    "unknown",
  ],
];

for (const [name, fate, expected] of ofNft) {
  Deno.test(`input, nft: where ${name} is let in, a peer's packet is ${expected}`, () => {
    assert.equal(fate, expected);
  });
}

const save = (...rules: string[]) =>
  ["*filter", ":INPUT DROP [0:0]", ":OUTPUT ACCEPT [0:0]", ":inner - [0:0]", ...rules, "COMMIT", ""].join(
    "\n",
  );

function iptables(rules: readonly string[], more: Partial<InboundPacket> = {}): Fate {
  const { chains, policy } = iptablesChains(save(...rules), { ...packet, ...more });
  assert.equal(policy, "drop");
  return fateIn(chains, { name: "INPUT", policy });
}

const answers = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
const common = [answers, "-A INPUT -i lo -j ACCEPT", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"];

const ofIptables: readonly (readonly [name: string, rules: readonly string[], expected: Fate])[] = [
  ["nothing", [], "dropped"],
  ["the usual", common, "dropped"],
  ["its port", [...common, "-A INPUT -p udp -m udp --dport 8472 -j ACCEPT"], "passes"],
  [
    "several ports",
    ['-A INPUT -p udp -m comment --comment "ports -j DROP" -m multiport --dports 22,8000:9000 -j ACCEPT'],
    "passes",
  ],
  ["all but TCP", ["-A INPUT ! -p tcp -j ACCEPT"], "passes"],
  ["the neighbours", ["-A INPUT -s 192.0.2.0/24 -p udp -j ACCEPT"], "unknown"],
  ["what another chain does", ["-A INPUT -j inner", "-A inner -i eth+ -j ACCEPT"], "passes"],
  ["what is left behind a rule that drops", [
    "-A INPUT -j LOG --log-prefix x",
    "-A INPUT -j DROP",
    "-A INPUT -j ACCEPT",
  ], "dropped"],
  ["what is for an address of its own", ["-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT"], "passes"],
  ["what is for no address of its own", ["-A INPUT -m addrtype ! --dst-type LOCAL -j ACCEPT"], "dropped"],
  ["what is for many", ["-A INPUT -m addrtype --dst-type BROADCAST,MULTICAST -j ACCEPT"], "dropped"],
  ["what an unknown target does", ["-A INPUT -j NFQUEUE --queue-num 0"], "unknown"],
];

for (const [name, rules, expected] of ofIptables) {
  Deno.test(`input, iptables: where ${name} is let in, a peer's packet is ${expected}`, () => {
    assert.equal(iptables(rules), expected);
  });
}

Deno.test("input: where both ends send from their port, answers that are let in may be the peer's first packet", () => {
  assert.equal(iptables(common, { isSymmetric: true }), "unknown");
  assert.equal(
    iptables(["-A INPUT -m conntrack --ctstate RELATED -j ACCEPT"], { isSymmetric: true }),
    "dropped",
  );
});

const ipip: InboundPacket = { ...packet, payload: { protocol: "ipip" } };
const esp: InboundPacket = { ...packet, payload: { protocol: "esp" } };
const portless: readonly (readonly [name: string, fate: Fate, expected: Fate])[] = [
  ["IPIP by a rule for it", nft([[meta("l4proto", "ipencap"), accept!]], { of: ipip }), "passes"],
  [
    "ESP by its number among others",
    nft([[meta("l4proto", { set: [51, 50] }), accept!]], { of: esp }),
    "passes",
  ],
  ["ESP by a rule for UDP", nft([[meta("l4proto", "udp"), accept!]], { of: esp }), "dropped"],
  ["IPIP by a rule for a port", nft([[dport(8472), accept!]], { of: ipip }), "dropped"],
  ["IPIP by one for any transport's port", nft([[dport(8472, "th"), accept!]], { of: ipip }), "dropped"],
  ["ESP by some indices", nft([[match(field("esp", "spi"), 5), accept!]], { of: esp }), "unknown"],
  ["IPIP by indices of ESP", nft([[match(field("esp", "spi"), 5), accept!]], { of: ipip }), "dropped"],
  ["ESP by iptables", iptables(["-A INPUT -p esp -j ACCEPT"], esp), "passes"],
  ["IPIP by iptables", iptables(["-A INPUT -p 4 -j ACCEPT"], ipip), "passes"],
  ["ESP by iptables' rule for all but TCP", iptables(["-A INPUT ! -p tcp -j ACCEPT"], esp), "passes"],
  ["ESP by iptables' rule for a port", iptables(["-A INPUT -p udp --dport 8472 -j ACCEPT"], esp), "dropped"],
];

for (const [name, fate, expected] of portless) {
  Deno.test(`input: what has no ports, ${name}, is ${expected}`, () => {
    assert.equal(fate, expected);
  });
}

/** A host whose programs say this. */
function systemOf(said: Readonly<Record<string, string>>): System {
  return {
    ...thisSystem(true),
    text: () => undefined,
    output: (argv) => Promise.resolve(said[argv.join(" ")]),
  };
}

const base = (family: string, name: string, hook = "input") => ({
  chain: { family, table: "filter", name, hook, policy: "drop" },
});
const listed = (...chains: unknown[]) => ({
  "nft -j list chains": JSON.stringify({ nftables: chains }),
});

Deno.test("input: chains of iptables are read in its own words, and others in nftables'", async () => {
  const system = systemOf({
    ...listed(
      base("ip", "INPUT"),
      base("inet", "in"),
      base("ip6", "INPUT"),
      base("ip", "FORWARD", "forward"),
    ),
    "iptables-nft-save -t filter": save(...common),
    "nft -j list table inet filter": table({ in: [[dport(8472), accept!]] }),
  });
  assert.deepEqual(await lookAtInput(system, [packet]), {
    seen: [
      { chain: "ip filter INPUT", program: "iptables", payload, link, isProbe, fate: "dropped" },
      { chain: "inet filter in", program: "nft", payload, link, isProbe, fate: "passes" },
    ],
  });
});

Deno.test("input: a program is asked the same only once, however many ports there are", async () => {
  const asked: string[] = [];
  const system = systemOf({
    ...listed(base("inet", "in")),
    "nft -j list table inet filter": table({ in: [] }),
  });
  const output: System["output"] = (argv) => {
    asked.push(argv.join(" "));
    return system.output(argv);
  };
  const both = [packet, { ...packet, payload: { protocol: "udp", port: 8473 } as const }];
  const found = await lookAtInput(askedOnce({ ...system, output }), both);
  assert.deepEqual("seen" in found && found.seen.map(({ payload, fate }) => [payload, fate]), [
    [payload, "dropped"],
    [{ protocol: "udp", port: 8473 }, "dropped"],
  ]);
  assert.deepEqual(asked, ["nft -j list chains", "nft -j list table inet filter"]);
});

Deno.test("input: what cannot be read is not judged", async () => {
  const mute = await lookAtInput(systemOf(listed(base("inet", "in"))), [packet]);
  assert.deepEqual(mute, {
    seen: [{ chain: "inet filter in", program: "nft", payload, link, isProbe, fate: "unknown" }],
  });
  assert.ok("unseen" in await lookAtInput(systemOf({ "nft -j list chains": "{" }), [packet]));
  assert.ok("unseen" in await lookAtInput({ ...systemOf({}), isAdmin: false }, [packet]));
  assert.deepEqual(await lookAtInput(systemOf({}), []), { seen: [] }, "nothing comes in by UDP");
});
