/** An agent that runs through an upgrade of its own files, or without them, goes on. */
import assert from "node:assert/strict";
import { isGone, pidOf } from "../lib/hung_proxy.ts";
import { type Hosts, hostTest } from "../lib/hosts.ts";
import { Installed } from "../lib/installed.ts";
import type { HostProcess } from "../lib/host_process.ts";
import { udp } from "../lib/planes.ts";

async function up(hosts: Hosts, { flan, env }: Installed): Promise<HostProcess> {
  const agent = hosts.start(hosts.at(1), ["env", `DENO_DIR=${env["DENO_DIR"]}`, flan, "up", ...udp.args]);
  await agent.err.line(/ info Ready /);
  return agent;
}

hostTest("an agent whose files are replaced starts its proxy again, and logs when they are gone", {
  lab: "upgrade",
  hosts: 1,
  plane: udp,
}, async (hosts, t) => {
  using installed = await Installed.create();
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  const { err } = await up(hosts, installed);

  await t.step("another proxy comes after an upgrade", async () => {
    installed.upgrade();
    const [former, mark] = [pidOf(host), err.lines.length];
    Deno.kill(former, "SIGKILL");
    await err.line(/Repaired proxy of flan0/, mark);
    assert.notEqual(pidOf(host), former);
    assert.ok(isGone(former));
  });

  await t.step("it repairs and says so without any of its files", async () => {
    Deno.removeSync(`${installed.home}/bundle`, { recursive: true });
    const mark = err.lines.length;
    await hosts.ip(host, `route delete ${udp.route("")}`);
    await err.line(/Repaired route/, mark);
  });
});
