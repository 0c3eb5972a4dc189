/** An agent below a service manager that listens at a real socket. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest } from "../lib/hosts.ts";
import { NotifyReceiver } from "../lib/notify_receiver.ts";
import { until } from "../lib/until.ts";

/** Microseconds. */
const WATCHDOG = 1_000_000;

hostTest("the manager hears of the join, of readiness when subnet.env is there, signs of life, and the end", {
  lab: "notify",
  hosts: 1,
}, async (hosts) => {
  const host = hosts.at(1);
  const socket = `${hosts.lab.directory}/notify.sock`;
  using manager = new NotifyReceiver(socket);
  const variables = [`NOTIFY_SOCKET=${socket}`, `WATCHDOG_USEC=${WATCHDOG}`];
  // As if its stderr were the journal's.
  const journal = 'export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/self/fd/2)"; exec "$@"';
  const agent = hosts.start(host, ["sh", "-c", journal, "sh", "env", ...variables, ...flanCommand(["up"])]);
  let env: string | undefined;
  await until("READY=1", () => {
    const isReady = manager.receive().some((message) => message.startsWith("READY=1\n"));
    if (isReady) env ??= Deno.readTextFileSync(`${host.runDir}/subnet.env`);
    return Promise.resolve(isReady);
  });
  await manager.heard("WATCHDOG=1", 3);
  const status = await hosts.lab.flan(host, ["status"]);
  await agent.end("SIGTERM");
  await manager.heard("STOPPING=1");

  await agent.err.line(/^<6>Ready subnet=\S+ peers=0$/);
  assert.match(env!, /^FLANNEL_SUBNET=/m);
  assert.equal(status.code, 0, status.stderr);
  const { messages } = manager;
  assert.equal(messages[0], "STATUS=Joining");
  assert.match(messages[1]!, /^READY=1\nSTATUS=0 peers, 0 drift, lease \S+ renew in 1\dh\nWATCHDOG=1$/);
});
