/** A proxy that hangs, or that nobody can reach any more, blinds and stops nothing: it is replaced, and taken away. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { udp, vxlan } from "../lib/planes.ts";

/** What may happen to a process that still holds its lock. */
const ways = [
  { name: "stands still", lab: "hung", harm: (_: LabHost, pid: number) => Deno.kill(pid, "SIGSTOP") },
  {
    name: "has lost its socket's file",
    lab: "nosock",
    harm: ({ runDir }: LabHost) => Deno.removeSync(`${runDir}/proxy.sock`),
  },
] as const;

/** By the lock that it holds: one that hangs cannot be asked. */
function pidOf({ runDir }: LabHost): number {
  return Number(Deno.readTextFileSync(`${runDir}/proxy.lock`));
}

function isGone(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)![0] === "Z";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

async function pair(hosts: Hosts): Promise<[Member, Member]> {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  return await hosts.joinAll() as [Member, Member];
}

for (const { name, lab, harm } of ways) {
  hostTest(`a running agent replaces a proxy that ${name}, and mends all else meanwhile`, {
    lab,
    hosts: 2,
    plane: udp,
  }, async (hosts) => {
    const both = await pair(hosts);
    const [{ host, agent }] = both;
    const pid = pidOf(host);
    const mark = agent.err.lines.length;
    harm(host, pid);
    await hosts.ip(host, `route delete ${udp.route("")}`);
    await agent.err.line(/Repaired proxy of flan0/, mark);
    await hosts.allReach(both);
    assert.notEqual(pidOf(host), pid);
    assert.ok(isGone(pid));
    assert.deepEqual(await hosts.status(host), { code: 0, problems: [] });
    assert.deepEqual(agent.err.matching(/underlay-missing/, mark), []);
  });

  hostTest(`what looks, down and up work beside a proxy that ${name}`, {
    lab: `${lab}d`,
    hosts: 2,
    plane: udp,
  }, async (hosts) => {
    await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
    const host = hosts.at(1);
    const before = await namespaceState(host);
    const [{ agent }] = await hosts.joinAll() as [Member, Member];
    await agent.end("SIGKILL");
    const flan = (...args: string[]) => hosts.lab.flan(host, args);

    const first = pidOf(host);
    harm(host, first);
    const routes = await flan("routes", "-o", "tsv");
    assert.equal(routes.code, 0, routes.stderr);
    assert.match(routes.stdout, /\tudp\twrong\t.*proxy/);
    const diff = await flan("routes", "diff");
    assert.equal(diff.code, 3, diff.stderr);
    assert.match(diff.stdout, /^wrong +proxy of flan0 at 192\.0\.2\.1:8285$/m);
    const dry = await flan("up", "--dry-run");
    assert.equal(dry.code, 0, dry.stderr);

    const up = await flan("up", "--once");
    assert.equal(up.code, 0, up.stderr);
    assert.ok(isGone(first));
    assert.equal((await flan("routes", "diff")).code, 0);

    const second = pidOf(host);
    harm(host, second);
    const stop = await flan("proxy", "stop");
    assert.deepEqual(
      [stop.code, stop.stdout],
      [0, `stopped the UDP proxy (process ${second})\n`],
      stop.stderr,
    );
    assert.equal((await flan("up", "--once")).code, 0);

    const third = pidOf(host);
    harm(host, third);
    const down = await flan("down");
    assert.equal(down.code, 0, down.stderr);
    assert.ok(isGone(third));
    await hosts.ip(host, "link delete cni0");
    assert.deepEqual(await namespaceState(host), before);
    const left = [...Deno.readDirSync(host.runDir)].map((entry) => entry.name);
    assert.ok(!left.includes("proxy.sock"), left.join());
  });
}

hostTest("a network changes its backend beside a proxy that stands still", {
  lab: "hungsw",
  hosts: 2,
  plane: udp,
}, async (hosts) => {
  const both = await pair(hosts);
  const [{ host, agent }] = both;
  const pid = pidOf(host);
  const mark = agent.err.lines.length;
  Deno.kill(pid, "SIGSTOP");
  const { code, stderr } = await hosts.lab.flan(host, ["config", "set", "Backend.Type", vxlan.backend]);
  assert.equal(code, 0, stderr);
  for (const member of both) {
    await member.agent.err.until(
      `vxlan on ${member.host.namespace}`,
      async () => (await vxlan.reached(member.host)).some((route) => route !== udp.route("")),
    );
  }
  await hosts.allReach(both);
  await agent.err.until("the proxy has ended", () => Promise.resolve(isGone(pid)));
  assert.deepEqual(agent.err.matching(/underlay-missing/, mark), []);
});
