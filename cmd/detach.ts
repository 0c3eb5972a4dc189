/** `flan up --detach`: the agent as a process of its own; this one waits until the network is ready. */
import { FlanError } from "../net/errors.ts";
import { type Context } from "./context.ts";
import { exit } from "./exit.ts";
import { flanCommand } from "./self.ts";

/**
 * Starts the same command without `--detach` in a session of its own and hands on what it prints. The agent
 * closes its stdout when the network is ready; if it ends before that, its exit code is ours.
 */
export async function detach({ settings }: Context, args: readonly string[]): Promise<number> {
  const kept = args.filter((arg) => arg !== "--detach");
  const logFile = settings.logFile ?? `${settings.runDir}/agent.log`;
  const [program, ...rest] = flanCommand([
    ...kept,
    ...(settings.logFile === undefined ? ["--log-file", logFile] : []),
  ]);
  const child = new Deno.Command(program, {
    args: rest,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const complaints = new Response(child.stderr).text();
  const answer = await new Response(child.stdout).bytes();
  Deno.stdout.writeSync(answer);
  if (answer.length > 0) {
    console.error(`flan: The agent runs in the background (process ${child.pid}), its log is ${logFile}`);
    return exit.done;
  }
  const { code } = await child.status;
  const text = await complaints;
  console.error(text.trimEnd());
  if (code === 0) {
    throw new FlanError("The agent ended before the network was ready", {
      op: "detach",
      code: "failed",
      hint: `see ${logFile}`,
    });
  }
  return code;
}
