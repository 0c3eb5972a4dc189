/** Another program has the proxy's port: it keeps it, flan says so, and takes the port when it is free. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { isHeld } from "../../control/lock.ts";
import { showProxy } from "../lib/ask_proxy.ts";
import { datagramsFile } from "../lib/datagrams.ts";
import type { HostProcess } from "../lib/host_process.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { udp } from "../lib/planes.ts";

const TAKEN = /Cannot start the UDP proxy at 192\.0\.2\.1:8285: Address already in use \(EADDRINUSE\)/;

/** The devices that flan has made. */
async function present(hosts: Hosts, host: LabHost): Promise<{ links: unknown[] }> {
  const links = await hosts.show(host, "ip", "link show");
  return { links: links.map((link) => link["ifname"]).filter((name) => String(name).startsWith("flan")) };
}

async function occupy(hosts: Hosts, host: LabHost): Promise<HostProcess> {
  const program = hosts.start(host, [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    datagramsFile,
    "echo",
    "8285",
  ]);
  await program.out.line(/echoing/);
  return program;
}

hostTest("up on a port that is taken says who cannot start and leaves no process; down leaves nothing", {
  lab: "port",
  hosts: 1,
  plane: udp,
}, async (hosts) => {
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  const before = await namespaceState(host);
  const other = await occupy(hosts, host);

  const { code, stderr } = await hosts.lab.flan(host, ["up", "--once", ...udp.args]);

  assert.equal(code, 1, stderr);
  assert.match(stderr, TAKEN);
  assert.match(stderr, /^hint: ss -ulpn 'sport = :8285' shows who has it$/m);
  assert.equal(await showProxy(host), undefined);
  assert.equal(isHeld(`${host.runDir}/proxy.lock`), false, "what was started in vain has ended");
  const { links } = await present(hosts, host);
  assert.deepEqual(links, [udp.device], "the device stays for the next attempt, as vxlan's does");
  assert.equal((await hosts.lab.flan(host, ["down"])).code, 0);
  assert.deepEqual(await namespaceState(host), before);
  await other.end();
  assert.equal((await hosts.lab.flan(host, ["up", "--once", ...udp.args])).code, 0);
});

hostTest("a port that is taken while the proxy is away is reported until it is free", {
  lab: "ports",
  hosts: 2,
  plane: udp,
}, async (hosts) => {
  const members = await hosts.joinAll() as [Member, Member];
  const [{ host, agent }] = members;
  const mark = agent.err.lines.length;
  Deno.kill(agent.pid, "SIGSTOP");
  Deno.kill((await showProxy(host))!.pid, "SIGKILL");
  const other = await occupy(hosts, host);
  Deno.kill(agent.pid, "SIGCONT");

  await agent.err.line(TAKEN, mark);
  const { code, problems } = await hosts.status(host);
  assert.deepEqual([code, problems.map((one) => one.code)], [3, ["proxy-down"]]);
  assert.equal(agent.err.matching(TAKEN, mark).length, 1, "it is told once");

  await other.end();
  await agent.err.line(/Well again: .*code=proxy-down/, mark);
  assert.deepEqual(await hosts.status(host), { code: 0, problems: [] });
  await hosts.allReach(members);
});
