/**
 * Masquerading and forwarding by what packets show: who sees which source address, past chains that drop what is
 * forwarded; through nftables, and through iptables where the library is missing.
 */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { gatewayOf } from "../../agent/subnet_env.ts";
import { Container, noteSources, sourceSeen } from "../lib/containers.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";

const OUTSIDE = 150;
/** A second address of the machine outside, to which containers keep their own. */
const EXEMPT = "198.51.100.7";
const MULTICAST = "239.1.2.3";
const masquerade = ["--ip-masq", "--no-masq", "198.51.100.0/24"];

const within = ({ namespace }: LabHost, ...argv: readonly string[]) =>
  must(["ip", "netns", "exec", namespace, ...argv]);

/** As Docker has made it since 1.13, with rules of its own. */
const dockers = (host: LabHost) =>
  within(
    host,
    "sh",
    "-ec",
    "iptables -t nat -N DOCKER; iptables -P FORWARD DROP; iptables -N DOCKER-USER; " +
      "iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -j RETURN",
  );

const administrators = (host: LabHost) =>
  within(
    host,
    "nft",
    "table inet fw { chain forward { type filter hook forward priority 0; policy drop; ct state established accept; }; }",
  );

/** The machine outside the overlay, which reaches all of it through the first host. */
async function outside(hosts: Hosts): Promise<LabHost> {
  const server = await hosts.lab.addServer(OUTSIDE);
  await hosts.ip(
    server,
    `address add ${EXEMPT}/32 dev eth0`,
    "route add 10.244.0.0/16 via 192.0.2.1",
  );
  await noteSources(server.namespace);
  for (const host of hosts.lab.hosts) {
    await within(host, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    await hosts.ip(
      host,
      `route add 198.51.100.0/24 via ${server.address}`,
      `route add ${MULTICAST}/32 dev eth0`,
    );
  }
  return server;
}

interface Scene {
  readonly server: LabHost;
  readonly members: readonly [Member, Member];
}

/** Every way that a packet can take, with the source that its receiver sees. */
async function judgeSources({ server, members: [one, two] }: Scene): Promise<void> {
  const containers = [await Container.start(one), await Container.start(two)] as const;
  const [mine, other] = containers;
  const overlay = ({ subnet }: Member) => subnet.split("/")[0]!;
  const ways: readonly [what: string, from: string, address: string, to: string, seen: string][] = [
    ["container → outside", mine.namespace, server.address, server.namespace, one.host.address],
    ["container → exempted", mine.namespace, EXEMPT, server.namespace, mine.address],
    ["container → other container", mine.namespace, other.address, other.namespace, mine.address],
    ["back", other.namespace, mine.address, mine.namespace, other.address],
    ["host → other container", one.host.namespace, other.address, other.namespace, overlay(one)],
    ["host → own container", one.host.namespace, mine.address, mine.namespace, one.container],
    ["outside → container", server.namespace, mine.address, mine.namespace, server.address],
    ["outside → through this host", server.namespace, other.address, other.namespace, overlay(one)],
  ];
  try {
    for (const [what, from, address, to, seen] of ways) {
      assert.equal(await sourceSeen({ from, address, to }), seen, what);
    }
    // Both: with an address alone a multicast leaves by the link that has it.
    const flags = ["-I", one.container, "-I", "eth0"];
    const multicast = { from: one.host.namespace, address: MULTICAST, to: server.namespace, flags };
    assert.equal(await sourceSeen(multicast), one.container, "multicast");
    const unicast = { ...multicast, address: server.address };
    assert.equal(await sourceSeen(unicast), one.host.address, "the same to one address");
  } finally {
    for (const container of containers) await container.remove();
  }
}

const ruleset = (host: LabHost) => within(host, "nft", "list", "ruleset");

/** What somebody does, and what the log says is put back. */
const deeds: readonly (readonly [name: string, words: string, repaired: RegExp])[] = [
  ["changes a rule", "insert rule ip flan postrouting ip saddr 10.244.0.0/16 accept", /masquerade rules/],
  ["flushes the chain", "flush chain ip flan postrouting", /masquerade rules/],
  ["deletes the chain", "delete chain ip flan postrouting", /masquerade rules/],
  ["deletes the table", "delete table ip flan", /masquerade rules/],
  ["flushes the chain that drops", "flush chain inet fw forward", /forward rules in chain inet fw forward/],
];

hostTest(
  "with nftables each receiver sees the right source, past chains that drop, and what is broken is put back",
  { lab: "fw-nft", hosts: 2 },
  async (hosts, t) => {
    const [first, second] = hosts.lab.hosts as [LabHost, LabHost];
    const server = await outside(hosts);
    await dockers(first);
    await administrators(second);
    const before = await Promise.all([first, second].map(ruleset));
    const members = await hosts.joinAll(masquerade) as [Member, Member];
    await t.step("who sees which source", () => judgeSources({ server, members }));

    const { agent } = members[1];
    const whole = await ruleset(second);
    for (const [name, words, repaired] of deeds) {
      await t.step(`somebody ${name}`, async () => {
        const mark = agent.err.lines.length;
        const begun = performance.now();
        await within(second, "nft", words);
        const line = await agent.err.line(/Repaired/, mark);
        console.log(`    ${Math.round(performance.now() - begun)} ms: ${line.replace(/^\S+ /, "")}`);
        assert.match(line, repaired);
        assert.match(line, /cause="packet filter changed by nft\[\d+\]"/);
        const mended = await ruleset(second);
        assert.equal(
          mended,
          name.endsWith("drops") ? whole.replace(/\n.*ct state established.*/, "") : whole,
        );
      });
    }

    await t.step(
      "routes diff names what is wrong while nobody mends it, and down leaves no trace",
      async () => {
        await agent.end("SIGTERM");
        await within(second, "nft", "flush chain ip flan postrouting");
        const diff = await hosts.lab.flan(second, ["routes", "diff"]);
        assert.equal(diff.code, 3, diff.stderr);
        assert.match(
          diff.stdout,
          /^wrong {4}masquerade rules in table ip flan: alias is none, not flan [0-9a-f]{16}, rules are 0, not \d+\n$/,
        );
        await within(second, "nft", "add rule inet fw forward ct state established accept");
        for (const host of [first, second]) {
          const { code, stderr } = await hosts.lab.flan(host, ["down"]);
          assert.equal(code, 0, stderr);
        }
        assert.deepEqual(await Promise.all([first, second].map(ruleset)), before);
      },
    );
  },
);

/** The command line of flan where libnftables cannot be opened; with an own PATH, programs cannot be found either. */
function withoutLibrary(args: readonly string[], path?: string): string[] {
  const hide = 'for f in /usr/lib/*/libnftables.so.1*; do mount --bind /dev/null "$f"; done; exec "$@"';
  const set = path === undefined ? [] : ["env", `PATH=${path}`];
  return ["unshare", "--mount", "sh", "-ec", hide, "sh", ...set, ...flanCommand(args)];
}

async function joinWithoutLibrary(hosts: Hosts, host: LabHost): Promise<Member> {
  const agent = hosts.start(host, withoutLibrary(["up", "--verbose", "-o", "value=subnet", ...masquerade]));
  const subnet = await agent.out.line(/^\d/);
  const gateway = gatewayOf(subnet);
  await hosts.ip(host, "link add cni0 type bridge", `address add ${gateway} dev cni0`, "link set cni0 up");
  const container = gateway.split("/")[0]!;
  return { host, subnet, container, containers: [container], agent };
}

hostTest(
  "without libnftables iptables does the same, and without either only masquerading is refused",
  { lab: "fw-ipt", hosts: 2 },
  async (hosts, t) => {
    const [first, second] = hosts.lab.hosts as [LabHost, LabHost];
    const server = await outside(hosts);

    await t.step("without either", async () => {
      const { code, stderr } = await hosts.lab.on(first, withoutLibrary(["up", ...masquerade], "/nowhere"));
      assert.equal(code, 5, stderr);
      assert.match(
        stderr,
        /^flan: Cannot use the packet filter of this host: .*libnftables.*; .*not installed$/m,
      );
      assert.equal(await hosts.lab.on(first, ["ls", first.stateDir]).then(({ code }) => code), 2, "no state");
      const plain = await hosts.lab.on(first, withoutLibrary(["up", "--once"], "/nowhere"));
      assert.equal(plain.code, 0, plain.stderr);
      await hosts.lab.flan(first, ["down"]);
    });

    await dockers(first);
    await dockers(second);
    const before = await within(first, "iptables-save");
    const members = [
      await joinWithoutLibrary(hosts, first),
      await joinWithoutLibrary(hosts, second),
    ] as const;
    for (const member of members) await hosts.knows(member, members);
    await t.step("who sees which source", () => judgeSources({ server, members }));

    await t.step("a flushed chain and a deleted jump are put back", async () => {
      const { err } = members[0].agent;
      for (const words of ["-t nat -F FLAN-POSTRTG", "-t nat -F POSTROUTING", "-D FORWARD 1"]) {
        const mark = err.lines.length;
        await within(first, "iptables", ...words.split(" "));
        assert.match(await err.line(/Repaired/, mark), /packet filter changed by iptables\[/);
      }
    });

    await t.step("down leaves no trace, although the library is there by then", async () => {
      const { code, stderr } = await hosts.lab.flan(first, ["down"]);
      assert.equal(code, 0, stderr);
      const rules = (text: string) => text.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "");
      assert.equal(rules(await within(first, "iptables-save")), rules(before));
    });
  },
);
