/** The program of the flows, against its own server. */
import assert from "node:assert/strict";
import { LineLog } from "../lib/line_log.ts";
import { flowFile, type FlowNews } from "./flow.ts";

const ADDRESS = "127.0.113.9";

function start(...args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", flowFile, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  return { child, out: new LineLog(args.join(" "), child.stdout) };
}

/** A port that is free for both protocols, as far as one can know. */
function freePort(): string {
  using listener = Deno.listen({ hostname: ADDRESS, port: 0 });
  return String(listener.addr.port);
}

Deno.test("a flow that is told to end has an answer for each datagram, or tells that it is lost", async () => {
  const port = freePort();
  const server = start("serve", ADDRESS, port);
  await server.out.line(/^serving$/);
  const flow = start("flow", ADDRESS, port, "1");
  await flow.out.line(/"answered":[1-9].*"blocks":[1-9]/);
  // Nothing is answered from here on, and nothing refused.
  server.child.kill("SIGSTOP");
  const stopped = flow.out.lines.length;
  await flow.out.line(/"answered":0/, stopped);
  flow.child.kill("SIGTERM");
  await flow.out.line(/"lost":\[\d/, stopped);
  server.child.kill("SIGCONT");
  assert.deepEqual([(await flow.child.status).code, await flow.out.closed], [0, undefined]);
  server.child.kill("SIGKILL");
  await Promise.all([server.child.status, server.out.closed]);

  const news = flow.out.lines.map((line) => JSON.parse(line) as FlowNews);
  const sum = (of: (one: FlowNews) => number) => news.reduce((all, one) => all + of(one), 0);
  assert.ok(news.every(({ at }) => at > 0));
  assert.ok(sum(({ lost }) => lost.length) > 0);
  assert.equal(sum(({ sent }) => sent), sum(({ answered, lost }) => answered + lost.length));
  assert.deepEqual(news.flatMap(({ broken }) => broken), []);
  assert.equal(sum(({ wrong, damaged, duplicates }) => wrong + damaged + duplicates), 0);
});
