/** The agent in an extension network: the startup command, the hooks, and what is told of those that fail. */
import assert from "node:assert/strict";
import { FlanError } from "../../net/errors.ts";
import { TestNetwork } from "../lib/agents.ts";

const network = (more: { [name: string]: string } = {}) => ({
  Network: "10.5.0.0/16",
  Backend: {
    Type: "extension",
    PreStartupCommand: "pre",
    SubnetAddCommand: "add",
    SubnetRemoveCommand: "rm",
    ...more,
  },
});
const peerOfIt = { backendType: "extension", backendData: "key" };

Deno.test("extension: what the startup command says is announced, and it runs again only where it is another one", async () => {
  await using lab = await TestNetwork.start(network());
  const host = await lab.joined(1);
  const announced = async () =>
    ((await lab.record(host.subnet!))!.value as { BackendData?: unknown }).BackendData;
  assert.deepEqual([host.commands, await announced()], [["pre"], "said by pre"]);
  await lab.configure(network({ SubnetAddCommand: "add more" }));
  await lab.configure(network({ PreStartupCommand: "other" }));
  assert.deepEqual([host.commands, await announced()], [["pre", "other"], "said by other"]);
});

Deno.test("extension: hooks follow peers, and another agent on the host finds them done", async () => {
  await using lab = await TestNetwork.start(network());
  const peer = await lab.peer(2, peerOfIt);
  const host = await lab.joined(1);
  assert.deepEqual([host.keys(), host.codes], [[`hook ${peer.subnet}`], []]);
  await host.stop();
  host.kernel.attempted.length = 0;
  await host.join();
  assert.deepEqual(host.kernel.attempted, []);
});

Deno.test("extension: a hook that fails is told of once, tried again ever more rarely, and well again when it is", async () => {
  await using lab = await TestNetwork.start(network());
  const host = await lab.joined(1);
  host.kernel.failNext("add", "EINVAL", { kind: "hook", times: 4 });
  host.kernel.attempted.length = 0;
  await lab.peer(2, peerOfIt);
  assert.deepEqual([host.codes, host.kernel.attempted.length], [["hook-fails"], 1], "not at once again");
  await lab.clock.advance(200_000);
  assert.deepEqual([host.codes, host.keys().length, host.kernel.attempted.length], [[], 1, 5]);
  assert.equal(host.lines("hook-fails").length, 2, "when it began and when it was over");
});

Deno.test("extension: a host whose own hook fails does not join, one whose peer's does, joins", async () => {
  await using lab = await TestNetwork.start(network({ PostStartupCommand: "post" }));
  const host = lab.host(1);
  host.kernel.failNext("add", "EINVAL", { kind: "hook" });
  await assert.rejects(host.join(), { code: "kernel" });
  await lab.peer(2, peerOfIt);
  const other = lab.host(3);
  await other.join();
  assert.deepEqual(other.keys("hook").length, 3, "its own, and one for each of the two others");
});

Deno.test("extension: a host that must not run the network's commands stays in the old network", async () => {
  await using lab = await TestNetwork.start();
  const host = await lab.joined(1);
  const before = host.keys();
  host.kernel.lacks.add("hooks");
  await lab.configure(network());
  assert.deepEqual([host.codes, host.keys(), host.commands], [["network-config"], before, []]);
});

Deno.test("extension: a startup command that fails in a running network is tried again, ever more rarely, until it does not", async () => {
  await using lab = await TestNetwork.start();
  const host = await lab.joined(1);
  host.failing.add("pre");
  await lab.configure(network());
  assert.deepEqual([host.codes, host.commands], [["network-config"], ["pre"]]);
  await lab.clock.advance(600_000);
  assert.ok(host.commands.length >= 5 && host.commands.length <= 25, `${host.commands.length} times`);
  host.failing.clear();
  await lab.clock.advance(120_000);
  assert.deepEqual([host.codes, host.agent.state.config.backendType], [[], "extension"]);
  const { length } = host.commands;
  await lab.clock.advance(120_000);
  assert.equal(host.commands.length, length, "and not again once it succeeded");
});

Deno.test("extension: while it cannot be seen what the commands did, that is told as the cause of what fails for it", async () => {
  await using lab = await TestNetwork.start(network());
  const host = await lab.joined(1);
  host.hooksTrouble = new FlanError("Cannot use hooks.json: it is damaged", { op: "test", code: "invalid" });
  host.kernel.failNext("add", "EINVAL", { kind: "hook", times: 4 });
  await lab.peer(2, peerOfIt);
  const told = host.agent.health.list().map(({ code, because }) => [code, because]);
  assert.deepEqual(told, [["hook-fails", "hooks-unreadable"], ["hooks-unreadable", undefined]]);
  assert.deepEqual(host.lines("hooks-unreadable"), ["Cannot use hooks.json: it is damaged"]);
  host.hooksTrouble = undefined;
  await lab.clock.advance(200_000);
  assert.deepEqual([host.codes, host.lines("hooks-unreadable").length], [[], 2]);
});
