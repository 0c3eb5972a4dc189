/** Whatever somebody does to what flan made is put back, and told once with what it was and who did it. */
import assert from "node:assert/strict";
import { deedsTo } from "../lib/deeds.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { planes } from "../lib/planes.ts";

for (const plane of planes) {
  const where = { lab: `repair-${plane.backend}`, hosts: 3, plane };
  hostTest(`what somebody takes away or changes of ${plane.backend} is repaired`, where, async (hosts, t) => {
    const deeds = deedsTo(plane);
    await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
    const members = await hosts.joinAll();
    const [victim, peer] = members as [Member, Member];
    const log = victim.agent.err;
    const before = await namespaceState(victim.host, { indexes: false });
    const begun = log.lines.length;

    for (const { name, done, repaired, cause } of deeds) {
      await t.step(`somebody ${name}`, async () => {
        const mark = log.lines.length;
        const start = performance.now();
        // What takes several commands is one deed: a quick agent would mend what is only half done.
        Deno.kill(victim.agent.pid, "SIGSTOP");
        const pid = await done(hosts, victim.host, peer).finally(() =>
          Deno.kill(victim.agent.pid, "SIGCONT")
        );
        const line = await log.line(/Repaired/, mark);
        const elapsed = Math.round(performance.now() - start);
        console.log(`    ${elapsed} ms: ${line.replace(/^\S+ /, "")}`);
        assert.match(line, repaired);
        const by = cause?.source ?? `(\\[|process )${pid}\\b`;
        assert.match(line, new RegExp(`cause=".*(${by})`));
        // A deaf agent finds it too, half a minute later, and then hears who it was.
        const applied = await log.line(/Applied changes/, mark);
        assert.doesNotMatch(applied, /woken=\S*clock/, "events wake the agent");
        assert.deepEqual(await namespaceState(victim.host, { indexes: false }), before);
        await hosts.allReach(members);
      });
    }

    await t.step("each was told once", async () => {
      await victim.agent.end("SIGTERM");
      const told = log.matching(/Repaired/, begun);
      assert.equal(told.length, deeds.length, told.join("\n"));
    });
  });
}
