/** Runs other programs for the demo: their output comes back as text, a failure as a FlanError. */
import { FlanError } from "../../net/errors.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Throws FlanError `unsupported` where it is not installed. */
export async function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const [program, ...args] = argv as [string, ...string[]];
  try {
    const command = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new FlanError(`Cannot run ${program}: it is not installed`, {
      op: "shell",
      code: "unsupported",
      hint: "deno task setup installs what is missing",
    });
  }
}

/** Like {@link run}, and throws FlanError with what the program said where it fails. */
export async function must(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<string> {
  const { code, stdout, stderr } = await run(argv, env);
  if (code === 0) return stdout;
  throw new FlanError(`Cannot run ${argv.join(" ")}: ${(stderr || stdout).trim() || `exit code ${code}`}`, {
    op: "shell",
    code: "failed",
  });
}
