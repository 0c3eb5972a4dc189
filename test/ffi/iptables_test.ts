/** Both variants of Debian's iptables, of both families, on the real kernel: what is written is read back as it was written. */
import assert from "node:assert/strict";
import { planFor } from "../../agent/firewall.ts";
import { dualStack } from "../../backends/dual.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { bothFamilies, iptablesRules } from "../../firewall/iptables_rules.ts";
import { programsOf } from "../../firewall/programs.ts";
import type { FirewallObject } from "../../firewall/rule_set.ts";
import { isFirewalls } from "../../kernel/relations.ts";
import { type ForwardRules, keyOf } from "../../kernel/state.ts";
import { view } from "../lib/overlay.ts";
import { dualHost, dualView } from "../lib/stacks.ts";
import { run } from "./system.ts";

const PROGRAMS = ["iptables", "ip6tables"] as const;
const CHAINS = ["ip filter FORWARD", "ip6 filter FORWARD"] as const;
const drops = CHAINS.map((chain): ForwardRules => ({ kind: "forward-rules", chain, alias: "", rules: [] }));
const foreign = { iptables: "198.51.100.0/24", ip6tables: "2001:db8:5::/48" };

/** All that a host can want of the packet filter, in both families. */
function wanted(): FirewallObject[] {
  const exempt = ["192.168.0.0/16", "203.0.113.7/32", "fd99::/16", "2001:db8::7/128"];
  const host = dualHost({ firewall: { masquerade: true, exempt, dropping: CHAINS } });
  return planFor(dualStack(vxlan), dualView(view([])), host).objects.filter(isFirewalls);
}

function sorted(objects: readonly FirewallObject[]): FirewallObject[] {
  return objects.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
}

/** What is there, without the counters and the time. */
async function saved(variant: string): Promise<string> {
  const all = await Promise.all(PROGRAMS.map((program) => run(`${program}-${variant}-save`)));
  return all.join("").replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "");
}

async function each(variant: string, ...words: readonly string[]): Promise<void> {
  for (const program of PROGRAMS) {
    for (const line of words) await run(`${program}-${variant}`, ...line.split(" "));
  }
}

/** A kernel of today may be without the tables of the legacy variant. */
function isThere(variant: string): boolean {
  return PROGRAMS.every((program) =>
    new Deno.Command(`${program}-${variant}`, { args: ["-t", "nat", "-S"], stdout: "null", stderr: "null" })
      .outputSync().success
  );
}

for (const variant of ["nft", "legacy"] as const) {
  const ignore = !isThere(variant);
  const why = ignore ? " (skipped: the kernel has none)" : "";
  const name =
    `iptables-${variant}: rules of both families are read back, mended, and gone without a trace${why}`;
  Deno.test({ name, ignore }, async () => {
    const [four, six] = PROGRAMS.map((program) => programsOf(`${program}-${variant}`));
    const rules = bothFamilies(iptablesRules(four!), iptablesRules(six!, 6));
    // Tables that nobody has touched are not there yet with nftables.
    await each(variant, "-P FORWARD DROP", "-t nat -P OUTPUT ACCEPT");
    try {
      for (const program of PROGRAMS) {
        await run(`${program}-${variant}`, "-A", "FORWARD", "-s", foreign[program], "-j", "ACCEPT");
      }
      const before = await saved(variant);
      const objects = wanted();
      assert.equal(objects.length, 4, "rules to masquerade and to forward, of each family");
      for (const verb of ["add", "replace"] as const) {
        for (const object of objects) await rules.apply({ verb, object });
        assert.deepEqual(sorted(await rules.read()), sorted([...objects, ...drops]), verb);
      }
      await each(variant, "-t nat -F FLAN-POSTRTG", "-D FORWARD 1");
      assert.notDeepEqual(sorted(await rules.read()), sorted([...objects, ...drops]), "it is seen");
      for (const object of objects) await rules.apply({ verb: "replace", object });
      assert.deepEqual(sorted(await rules.read()), sorted([...objects, ...drops]));
      for (const verb of ["delete", "delete"] as const) {
        for (const object of objects) await rules.apply({ verb, object });
      }
      assert.equal(await saved(variant), before);
    } finally {
      await each(variant, "-P FORWARD ACCEPT", "-F FORWARD", "-t nat -F");
      await run("nft", "flush ruleset");
    }
  });
}
