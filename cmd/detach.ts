/** `flan up --detach`: the agent as a process of its own; this one waits until the network is ready. */
import { FlanError } from "../net/errors.ts";
import { type Context } from "./context.ts";
import { exit } from "./exit.ts";
import { print } from "./output.ts";
import { flanCommand } from "./self.ts";

/** Ends what the agent prints on either pipe; everything after it would have nobody who reads. */
const END = "\0";

/** Tells the waiting `flan up --detach` that the answer is complete and the network works. */
export function tellReady(): void {
  for (const pipe of [Deno.stdout, Deno.stderr]) pipe.writeSync(new TextEncoder().encode(END));
}

/**
 * Starts the same command without `--detach` in a session of its own and hands on what it says until it is
 * ready. If it ends before that, its complaints and its exit code are ours.
 */
export async function detach({ settings }: Context, args: readonly string[]): Promise<number> {
  const kept = args.filter((arg) => arg !== "--detach");
  const logFile = settings.logFile ?? `${settings.runDir}/agent.log`;
  const log = settings.logFile === undefined ? ["--log-file", logFile] : [];
  const [program, ...rest] = flanCommand([...kept, "--detached", ...log]);
  const child = new Deno.Command(program, {
    args: rest,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const [answer, said] = await Promise.all([readUntilEnd(child.stdout), readUntilEnd(child.stderr)]);
  const complaints = said.text.trimEnd();
  if (complaints !== "") console.error(complaints);
  if (answer.ready) {
    print(answer.text.trimEnd());
    console.error(`flan: The agent runs in the background (process ${child.pid}), its log is ${logFile}`);
    return exit.done;
  }
  const { code } = await child.status;
  if (code === exit.done && answer.text !== "") {
    // Another one has joined meanwhile, and the answer is about that.
    print(answer.text.trimEnd());
    return exit.done;
  }
  if (code !== exit.done && complaints !== "") return code;
  throw new FlanError("The agent ended before the network was ready", {
    op: "detach",
    code: "failed",
    hint: `see ${logFile}`,
  });
}

async function readUntilEnd(pipe: ReadableStream<Uint8Array>): Promise<{ text: string; ready: boolean }> {
  let text = "";
  for await (
    const part of pipe.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
  ) {
    text += part;
    if (text.endsWith(END)) return { text: text.slice(0, -END.length), ready: true };
  }
  return { text, ready: false };
}
