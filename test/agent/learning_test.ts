/** What keeps a host from taking up a former plane that peers need: it goes on, says so, and tries again by itself. */
import assert from "node:assert/strict";
import { TestNetwork, udpNetwork } from "../lib/agents.ts";

const WHY = "Cannot take up backend vxlan, by which alone some peers can be reached: ";

Deno.test("learning: a state directory that takes no writes ends no agent; it says so, and goes on when it takes them", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const file = `${host.options.stateDir}/planes.json`;
  Deno.removeSync(file);
  Deno.mkdirSync(file);
  const peer = await network.peer(2);
  await network.clock.advance(10 * 60_000);
  assert.deepEqual([host.codes, host.keys("link")], [["former-backend"], ["link flan0"]]);
  assert.match(
    host.lines("former-backend").join("\n"),
    new RegExp(`^${WHY}Cannot write \\S+/planes.json: .*$`),
  );
  Deno.removeSync(file);
  await network.clock.advance(60_000);
  assert.deepEqual([host.codes, host.keys("link")], [[], ["link flan.1", "link flan0"]]);
  assert.ok(host.keys("route").includes(`route ${peer.subnet} metric 0`), host.keys("route").join());
});

Deno.test("learning: a kernel that cannot be read once ends no agent, and what it is asked for by hand is done at once", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  host.kernel.failNext("dump", "ENOBUFS");
  await network.peer(2);
  assert.deepEqual([host.codes, host.keys("link")], [["former-backend"], ["link flan0"]]);
  const done = host.agent.repair();
  await network.clock.turn();
  await done;
  assert.deepEqual([host.codes, host.keys("link")], [[], ["link flan.1", "link flan0"]]);
});

Deno.test("learning: a host joins although it lacks what a peer needs, and forgets that when nobody needs it any more", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const peer = await network.peer(2);
  const host = network.host(1);
  host.kernel.lacks.add("vxlan");
  await host.join();
  assert.deepEqual(host.agent.health.list().map(({ code, subject }) => [code, subject]), [
    ["former-backend", "vxlan flan.1"],
  ]);
  await host.run();
  assert.deepEqual(host.lines("former-backend"), [`${WHY}Cannot use vxlan: this host has none`]);
  await network.remove(peer.subnet);
  await network.clock.advance(5 * 60_000);
  assert.deepEqual([host.codes, host.keys("link")], [[], ["link flan0"]]);
});
