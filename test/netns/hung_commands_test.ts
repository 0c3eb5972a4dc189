/** Commands beside a proxy that hangs, or that nobody can reach any more: they say so, replace it, and take it away. */
import assert from "node:assert/strict";
import { hostTest, type Member } from "../lib/hosts.ts";
import { isGone, pidOf, ways } from "../lib/hung_proxy.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { udp } from "../lib/planes.ts";

for (const { name, lab, harm } of ways) {
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
    const [routes, diff, dry] = await Promise.all([
      flan("routes", "-o", "tsv"),
      flan("routes", "diff"),
      flan("up", "--dry-run"),
    ]);
    assert.equal(routes.code, 0, routes.stderr);
    assert.match(routes.stdout, /\tudp\twrong\t.*proxy/);
    assert.equal(diff.code, 3, diff.stderr);
    assert.match(diff.stdout, /^wrong +proxy of flan0 at 192\.0\.2\.1:8285: .*carrying is false, not true/m);
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
