/** An agent that has no more capabilities than flan.service gives it joins, repairs and is asked like any other. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { rootFolder } from "../../net/own_files.ts";
import { hostTest } from "../lib/hosts.ts";
import { planes } from "../lib/planes.ts";

const unit = Deno.readTextFileSync(`${rootFolder}systemd/flan.service`);
const capabilities = /^CapabilityBoundingSet=(.+)$/m.exec(unit)![1]!.toLowerCase().split(" ")
  .map((name) => `+${name.replace("cap_", "")}`);
const bounded = ["setpriv", "--no-new-privs", "--bounding-set", ["-all", ...capabilities].join(",")];

for (const plane of planes) {
  hostTest(`the unit's capabilities are enough for ${plane.backend}`, {
    lab: `caps-${plane.backend}`,
    hosts: 1,
    plane,
  }, async (hosts) => {
    const host = hosts.at(1);
    const agent = hosts.start(host, [
      ...bounded,
      ...flanCommand(["up", "--listen", "127.0.0.1:80", ...plane.args]),
    ]);
    await agent.err.line(/ info Ready /);
    const set = Deno.readTextFileSync(`/proc/${agent.pid}/status`);
    const { code, problems } = await hosts.status(host);
    await agent.end("SIGTERM");
    const down = await hosts.lab.on(host, [...bounded, ...flanCommand(["down"])]);

    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(set)![1]}`);
    assert.equal(effective.toString(2).replaceAll("0", "").length, capabilities.length, set);
    assert.deepEqual([code, problems], [0, []]);
    assert.equal(down.code, 0, down.stderr);
  });
}
