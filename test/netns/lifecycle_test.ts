/** How an agent begins and ends when something is in its way: nobody is left with a network and no trace. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";

const onHost = { hosts: 1 };

hostTest("a run directory too long for a socket is refused before anything is joined", {
  lab: "long",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  const before = await namespaceState(host);
  const runDir = `${hosts.lab.directory}/${"r".repeat(100)}`;

  const { code, stdout, stderr } = await hosts.lab.flan(host, ["up", "--detach", "--run-dir", runDir]);

  assert.match(stderr, /^flan: Cannot listen on \S+agent\.sock: a socket's path has 107 bytes at most/);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(Deno.readTextFileSync(`${runDir}/agent.log`), / error The agent ends: Cannot listen on /);
  assert.deepEqual(await namespaceState(host), before);
});

hostTest("an agent whose waiting flan up --detach was interrupted keeps the network it has joined", {
  lab: "orphan",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  // Nobody reads what the agent prints when it is ready.
  const agent = hosts.start(host, ["sh", "-c", '"$@" | true', "sh", ...flanCommand(["up", "--detached"])]);
  await agent.err.line(/ info Ready /);

  const waited = await hosts.lab.flan(host, ["status", "--wait", "--timeout", "5"]);
  const down = await hosts.lab.flan(host, ["down"]);

  assert.equal(waited.code, 0, waited.stderr);
  assert.match(down.stdout, /^stopped the agent /);
  await agent.ended();
});
