/** What the doctor says of hosts with the firewalls that distributions bring, closed as these come and with the port opened. */
import assert from "node:assert/strict";
import { lookAtInput } from "../../cmd/doctor/input_facts.ts";
import { type System, thisSystem } from "../../cmd/doctor/system.ts";
import type { InputChain } from "../../doctor/facts.ts";
import type { InboundPacket } from "../../doctor/input_chains.ts";

const packet: InboundPacket = {
  family: 4,
  payload: { protocol: "udp", port: 8472 },
  link: "eth0",
  isSymmetric: false,
  isProbe: false,
};

/** The words of iptables-save; `chains` beside INPUT, `rules` without their `-A`. */
function saved(
  { policy, chains, rules }: { policy: string; chains: readonly string[]; rules: readonly string[] },
): string {
  return [
    "*filter",
    `:INPUT ${policy} [0:0]`,
    ...chains.map((name) => `:${name} - [0:0]`),
    ...rules.map((rule) => `-A ${rule}`),
    "COMMIT",
    "",
  ].join("\n");
}

const opened = "-p udp -m udp --dport 8472 -j ACCEPT";

/** Debian's and Ubuntu's ufw, as `ufw enable` makes it; the user's rules are in a chain of their own. */
const ufw = (own: readonly string[]) =>
  saved({
    policy: "DROP",
    chains: [
      ...["before-logging-input", "before-input", "after-input", "after-logging-input", "reject-input"],
      ...["track-input", "logging-deny", "not-local", "skip-to-policy-input", "user-input"],
    ].map((name) => `ufw-${name}`),
    rules: [
      ...["before-logging", "before", "after", "after-logging", "reject", "track"].map((name) =>
        `INPUT -j ufw-${name}-input`
      ),
      "ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input",
      "ufw-after-input -m addrtype --dst-type BROADCAST -j ufw-skip-to-policy-input",
      'ufw-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "',
      "ufw-before-input -i lo -j ACCEPT",
      "ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny",
      "ufw-before-input -m conntrack --ctstate INVALID -j DROP",
      "ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT",
      "ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT",
      "ufw-before-input -j ufw-not-local",
      "ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT",
      "ufw-before-input -j ufw-user-input",
      "ufw-not-local -m addrtype --dst-type LOCAL -j RETURN",
      "ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN",
      "ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN",
      "ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny",
      "ufw-not-local -j DROP",
      "ufw-skip-to-policy-input -j DROP",
      "ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
      ...own.map((rule) => `ufw-user-input ${rule}`),
    ],
  });

/** The iptables service of Red Hat's: the policy accepts, and the last rule rejects. */
const iptablesService = (own: readonly string[]) =>
  saved({
    policy: "ACCEPT",
    chains: [],
    rules: [
      "INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
      "INPUT -p icmp -j ACCEPT",
      "INPUT -i lo -j ACCEPT",
      "INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT",
      ...own.map((rule) => `INPUT ${rule}`),
      "INPUT -j REJECT --reject-with icmp-host-prohibited",
    ],
  });

/** No firewall: what runs containers refuses some packets, and never all. */
const containers = saved({
  policy: "ACCEPT",
  chains: ["KUBE-FIREWALL", "KUBE-NODEPORTS"],
  rules: [
    "INPUT -m conntrack --ctstate NEW -j KUBE-NODEPORTS",
    "INPUT -j KUBE-FIREWALL",
    "KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED -j DROP",
    "KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
  ],
});

type Rule = readonly Readonly<Record<string, unknown>>[];
const match = (left: unknown, right: unknown, op = "=="): Rule => [{ match: { op, left, right } }];
const accept: Rule = [{ accept: null }];
const reject: Rule = [{ reject: { type: "icmpx", expr: "admin-prohibited" } }];
const to = (verb: "jump" | "goto", target: string): Rule => [{ [verb]: { target } }];
const dport = (protocol: string, port: number) => match({ payload: { protocol, field: "dport" } }, port);

/** firewalld's table, whose input chain accepts by policy and rejects at its end. */
function firewalld(own: readonly Rule[]): Readonly<Record<string, string>> {
  const rules: Readonly<Record<string, readonly Rule[]>> = {
    filter_INPUT: [
      [...match({ ct: { key: "state" } }, { set: ["established", "related"] }, "in"), ...accept],
      [...match({ ct: { key: "status" } }, "dnat", "in"), ...accept],
      [...match({ meta: { key: "iifname" } }, "lo"), ...accept],
      [...match({ ct: { key: "state" } }, "invalid", "in"), { drop: null }],
      to("jump", "filter_INPUT_ZONES"),
      reject,
    ],
    filter_INPUT_ZONES: [
      [...match({ meta: { key: "iifname" } }, "eth0"), ...to("goto", "filter_IN_public")],
      to("goto", "filter_IN_public"),
    ],
    filter_IN_public: [
      to("jump", "filter_IN_public_allow"),
      [...match({ meta: { key: "l4proto" } }, { set: ["icmp", "ipv6-icmp"] }), ...accept],
      reject,
    ],
    filter_IN_public_allow: [[...dport("tcp", 22), ...accept], ...own],
  };
  const chain = (name: string) => ({ family: "inet", table: "firewalld", name });
  const base = { ...chain("filter_INPUT"), type: "filter", hook: "input", policy: "accept" };
  const said = (nftables: unknown[]) => JSON.stringify({ nftables });
  return {
    "nft -j list chains": said([{ chain: base }]),
    "nft -j list table inet firewalld": said([
      ...Object.keys(rules).map((name) => ({ chain: chain(name) })),
      ...Object.entries(rules).flatMap(([name, all]) => all.map((expr) => ({ rule: { chain: name, expr } }))),
    ]),
  };
}

/** A chain that iptables made in nftables, of the family. */
const inNft = (text: string, { family = "ip", policy = "accept" } = {}) => ({
  "nft -j list chains": JSON.stringify({
    nftables: [{ chain: { family, table: "filter", name: "INPUT", type: "filter", hook: "input", policy } }],
  }),
  [`${family}tables-nft-save -t filter`]: text,
});

async function found(
  said: Readonly<Record<string, string>>,
  { packets = [packet], legacy = [] }: { packets?: InboundPacket[]; legacy?: readonly string[] } = {},
): Promise<readonly string[]> {
  const system: System = {
    ...thisSystem(true),
    text: (path) => legacy.includes(path) ? "filter\n" : undefined,
    output: (argv) => Promise.resolve(said[argv.join(" ")]),
  };
  const input = await lookAtInput(system, packets);
  assert.ok("seen" in input);
  return input.seen.map(({ chain, program, fate }: InputChain) => `${chain} by ${program}: ${fate}`);
}

Deno.test("ufw: it drops until the port is opened", async () => {
  const drop = { policy: "drop" };
  assert.deepEqual(await found(inNft(ufw([]), drop)), ["ip filter INPUT by iptables: dropped"]);
  assert.deepEqual(await found(inNft(ufw([opened]), drop)), ["ip filter INPUT by iptables: passes"]);
});

Deno.test("Red Hat's iptables service: its last rule rejects, whatever the policy", async () => {
  assert.deepEqual(await found(inNft(iptablesService([]))), ["ip filter INPUT by iptables: dropped"]);
  assert.deepEqual(await found(inNft(iptablesService([opened]))), ["ip filter INPUT by iptables: passes"]);
});

Deno.test("firewalld: it rejects until the port is opened, which only its own command can do", async () => {
  const chain = "inet firewalld filter_INPUT by firewall-cmd";
  assert.deepEqual(await found(firewalld([])), [`${chain}: dropped`]);
  assert.deepEqual(await found(firewalld([[...dport("udp", 8472), ...accept]])), [`${chain}: passes`]);
});

Deno.test("a chain that accepts by policy lets in what only some rule might drop", async () => {
  assert.deepEqual(await found(inNft(containers)), ["ip filter INPUT by iptables: passes"]);
});

Deno.test("iptables' own tables: IPv6 has the other program, and each is judged for its family's packets", async () => {
  const said = {
    "iptables-legacy-save -t filter": iptablesService([opened]),
    "ip6tables-legacy-save -t filter": iptablesService([]),
  };
  const legacy = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];
  assert.deepEqual(await found(said, { packets: [packet, { ...packet, family: 6 }], legacy }), [
    "INPUT by iptables: passes",
    "INPUT (ip6tables) by ip6tables: dropped",
  ]);
});

Deno.test("a chain with the name of iptables' in another table is nftables'", async () => {
  const said = inNft(ufw([]), { family: "inet", policy: "drop" });
  assert.deepEqual(await found(said), ["inet filter INPUT by nft: unknown"]);
});
