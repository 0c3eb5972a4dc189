/** What an agent asks its host while no file descriptor is left: refused as an error of flan's, or not known. */
import assert from "node:assert/strict";
import { withoutDescriptors } from "../lib/without_descriptors.ts";

const at = (path: string) => new URL(`../../${path}`, import.meta.url);

Deno.test("without descriptors: the capability and iptables are errors of flan's, and nothing is known of UDP", async () => {
  const { code, lines } = await withoutDescriptors({
    modules: {
      capability: at("agent/capability.ts"),
      counters: at("agent/probing/udp_counters.ts"),
      programs: at("firewall/programs.ts"),
    },
    then: [
      "capability.hasNetAdmin()",
      "counters.udpCounters.errors()",
      "counters.udpCounters.drops()",
      "programs.iptablesPrograms.save()",
    ],
  });
  const reason = "Too many open files (os error 24)";
  assert.deepEqual(lines.slice(0, 5), [
    "ready",
    "EMFILE",
    `FlanError failed: Cannot read /proc/self/status: ${reason}`,
    "undefined",
    "undefined",
  ]);
  // Where it is not installed, that is found out first.
  assert.match(
    lines[5]!,
    /^(FlanError failed: Cannot run iptables-save: .*os error 24|KernelError unsupported: )/,
  );
  assert.equal(code, 0);
});
