/** The packet filter of the real kernel: what is written is read back as it was written, and every change is told. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { planFor } from "../../agent/firewall.ts";
import { dualStack } from "../../backends/dual.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import { NETLINK_NETFILTER, requireNetlink } from "../../ffi/netlink_socket.ts";
import { runNft } from "../../ffi/nftables.ts";
import { nftRules } from "../../firewall/nft_rules.ts";
import type { FirewallObject } from "../../firewall/rule_set.ts";
import { toCommands } from "../../kernel/commands.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { isFirewalls } from "../../kernel/relations.ts";
import type { ForwardRules, Masquerade } from "../../kernel/state.ts";
import { view } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";
import { withoutDescriptors } from "../lib/without_descriptors.ts";
import { run } from "./system.ts";

// Opened here because libraries stay open: inside a test they would count as its leak.
runNft("list tables");

const nft = (words: string): Promise<string> => run("nft", words);
const rules = nftRules(runNft);

const CHAINS = ["ip filter FORWARD", "ip6 filter FORWARD", "inet fw forward"] as const;
const drops = CHAINS.map((chain): ForwardRules => ({ kind: "forward-rules", chain, alias: "", rules: [] }));

/** Chains of others that drop: one as iptables-nft makes it, one of an administrator with nft. */
async function others(): Promise<void> {
  await run("iptables-nft", "-P", "FORWARD", "DROP");
  await run("ip6tables-nft", "-P", "FORWARD", "DROP");
  await run("iptables-nft", "-A", "FORWARD", "-s", "198.51.100.0/24", "-j", "ACCEPT");
  await nft(
    "table inet fw { chain forward { type filter hook forward priority 0; policy drop; tcp dport 22 accept; }; }",
  );
}

/** All that a host can want of the packet filter. */
function wanted(): FirewallObject[] {
  const firewall = {
    masquerade: true,
    exempt: ["192.168.0.0/16", "203.0.113.7/32", "0.0.0.0/0", "fd99::/16", "2001:db8::7/128", "::/0"],
    dropping: CHAINS,
  };
  return planFor(dualStack(vxlan), dualView(view([])), dualHost({ firewall })).objects.filter(isFirewalls);
}

async function withRules(body: (objects: readonly FirewallObject[]) => Promise<void>): Promise<void> {
  await nft("flush ruleset");
  try {
    await others();
    await body(wanted());
  } finally {
    await nft("flush ruleset");
  }
}

const byChain = (objects: readonly FirewallObject[]) => objects.map((one) => JSON.stringify(one)).sort();

Deno.test("nftables: what is written is read back as it was written, and taken away without a trace", () =>
  withRules(async (objects) => {
    const before = await nft("list ruleset");
    assert.deepEqual(byChain(await rules.read()), byChain(drops));
    for (const verb of ["add", "add", "replace"] as const) {
      for (const object of objects) await rules.apply({ verb, object });
      assert.deepEqual(byChain(await rules.read()), byChain([...objects, ...drops]), verb);
    }
    assert.match(
      await run("iptables-nft", "-S", "FORWARD"),
      /-P FORWARD DROP\n-A FORWARD -s 10\.5\.0\.0\/16 .*ACCEPT\n-A FORWARD -d .*ACCEPT\n-A FORWARD -s 198/,
      "iptables reads them, before what was there",
    );
    for (const verb of ["delete", "delete"] as const) {
      for (const object of objects) await rules.apply({ verb, object });
    }
    assert.equal(await nft("list ruleset"), before);
  }));

Deno.test("nftables: the printed commands do what is done", () =>
  withRules(async (objects) => {
    const lines = toCommands(objects.map((object) => ({ verb: "add", object })));
    await run("sh", "-ec", lines.join("\n"));
    assert.deepEqual(byChain(await rules.read()), byChain([...objects, ...drops]));
    const masquerade = objects.find(({ kind }) => kind === "masquerade")!;
    await run("sh", "-ec", toCommands([{ verb: "delete", object: masquerade }]).join("\n"));
    const rest = objects.filter((one) => one !== masquerade);
    assert.deepEqual(byChain(await rules.read()), byChain([...rest, ...drops]));
  }));

/** Each is seen as another value of the object, or as none. */
const deeds: readonly string[] = [
  "flush chain ip flan postrouting",
  "delete table ip flan",
  "add rule ip flan postrouting accept",
  "insert rule ip flan postrouting ip saddr 10.5.0.0/16 return",
  "add chain ip flan other",
  "add set ip flan addresses { type ipv4_addr; }",
  "chain ip flan postrouting { policy drop; }",
  "flush ruleset",
];

Deno.test("nftables: whatever somebody does to our table is seen", () =>
  withRules(async (objects) => {
    const masquerade = objects.find((one): one is Masquerade => one.kind === "masquerade")!;
    for (const deed of deeds) {
      await rules.apply({ verb: "add", object: masquerade });
      await nft(deed);
      const found = (await rules.read()).find(({ kind }) => kind === "masquerade");
      assert.notDeepEqual(found, masquerade, deed);
    }
  }));

Deno.test("nftables: one transaction is carried out whole or not at all, and a refusal has its errno", async () => {
  await nft("flush ruleset");
  assert.throws(() => runNft("add table ip one\nadd rule ip nowhere there accept"), {
    name: "KernelError",
    errno: "ENOENT",
    message: "Cannot use the packet filter: Could not process rule: No such file or directory",
  });
  assert.throws(() => runNft("add nonsense"), { errno: "", message: /syntax error/ });
  assert.equal(await nft("list ruleset"), "");
});

Deno.test("nftables: thousands of calls leave no descriptor behind", () => {
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = open();
  for (let i = 0; i < 2000; i++) runNft("list tables");
  assert.equal(open(), before);
});

Deno.test("nftables: a process without descriptors is told so, and goes on", async () => {
  const { code, lines } = await withoutDescriptors({
    modules: { nftables: new URL("../../ffi/nftables.ts", import.meta.url) },
    before: 'nftables.runNft("list tables");',
    then: ['nftables.runNft("list tables")', '"alive"'],
  });
  const refused = "KernelError kernel: Cannot use the packet filter: Too many open files (EMFILE)";
  assert.deepEqual([code, ...lines], [0, "ready", "EMFILE", refused, "alive"]);
});

Deno.test("nftables: a kernel without that family of netlink is one that lacks the packet filter", () => {
  requireNetlink(NETLINK_NETFILTER, "Cannot do it");
  assert.throws(() => requireNetlink(31, "Cannot do it"), {
    name: "FlanError",
    code: "unsupported",
    message: "Cannot do it: Protocol not supported (EPROTONOSUPPORT)",
  });
});

Deno.test("events: every transaction is one event with its process, and own ones are known as such", async () => {
  await nft("flush ruleset");
  const kernel = openKernel({ clock: systemClock });
  const stop = new AbortController();
  const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<KernelEvent> => {
    for (;;) {
      const { value } = await events.next();
      if (value.group === "firewall") return value;
    }
  };
  try {
    runNft("add table ip own");
    const own = await next();
    assert.equal(own.own, true);
    assert.ok(Deno.statSync(`/proc/self/task/${own.port}`).isDirectory, "the thread that did it");
    const child = new Deno.Command("nft", { args: ["delete table ip own"] }).spawn();
    await child.status;
    assert.deepEqual(await next(), {
      group: "firewall",
      action: "new",
      own: false,
      port: child.pid,
      program: "nft",
    });
    // Both before anybody reads: the one that is not our own must not be hidden by the other.
    await nft("add table ip foreign");
    runNft("add table ip own");
    assert.equal((await next()).own, false);
  } finally {
    stop.abort();
    await events.return?.();
    kernel.close();
    await nft("flush ruleset");
  }
});
