/** `flan proxy stop`: ends the process, and so whatever it carries. */
import { lockHolder, provenHolder } from "../agent/lock.ts";
import { stopProxy } from "../proxy/stop.ts";
import type { Command, Runner } from "./cli.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { print } from "./output.ts";
import { proxiesOf, proxySettings } from "./proxy_client.ts";

export function stopCommand(run: Runner): Command {
  return leaf(
    {
      name: "stop",
      summary: "End the proxy; an agent that runs starts it again",
      anywhere: true,
      settings: proxySettings,
      after: "A proxy that does not end by itself within 5 seconds is killed.",
    },
    run,
    stop,
  );
}

async function stop({ context }: Call): Promise<number> {
  const stopped: number[] = [];
  for (const { client } of proxiesOf(context)) {
    const pid = await stopProxy(client, context);
    if (pid === undefined) continue;
    stopped.push(pid);
    print(`stopped the UDP proxy (process ${pid})`);
  }
  if (stopped.length === 0) print("proxy   not running");
  if (stopped.length > 0 && agentRuns(context.settings.runDir)) {
    console.error("hint: the agent starts it again; flan down ends both");
  }
  return exit.done;
}

function agentRuns(runDir: string): boolean {
  return lockHolder(runDir) !== undefined && provenHolder(runDir) !== undefined;
}
