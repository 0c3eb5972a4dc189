/**
 * Runs tests under a stock Debian kernel, in one virtual machine: `deno run -A test/vm/run.ts test/vm`. For what the
 * kernel of a development machine may lack. Ends with the tests' own exit code, and with 1 and a sentence where there
 * can be no machine.
 */
import { messageOf } from "../../net/errors.ts";
import { must } from "../../cmd/demo/shell.ts";
import { guestEnvironment, installedFlan } from "./guest_flan.ts";
import { runInMachine } from "./machine.ts";
import { stockKernel } from "./stock_kernel.ts";

/** Emulation is ten to twenty times slower than the machine. */
const PATIENCE_MS = 800_000;

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function testsIn(path: string): string[] {
  if (!Deno.statSync(path).isDirectory) return [path];
  return [...Deno.readDirSync(path)].filter(({ name }) => name.endsWith("_test.ts"))
    .map(({ name }) => `${path}/${name}`).sort();
}

async function main(paths: readonly string[]): Promise<number> {
  if (Deno.build.arch !== "x86_64") {
    console.error(
      `vm: cannot run tests under a stock kernel here: the machine is for x86_64, not ${Deno.build.arch}`,
    );
    return 1;
  }
  try {
    const kernel = await stockKernel();
    const tests = paths.flatMap(testsIn);
    // What is compiled here need not be compiled there, where all takes its time.
    using flan = await installedFlan();
    await must([Deno.execPath(), "cache", "--quiet", "--no-check", ...tests]);
    const argv = [Deno.execPath(), "test", "--quiet", "--allow-all", "--no-check", "--cached-only", ...tests];
    return await runInMachine(kernel, {
      argv,
      environment: guestEnvironment(flan),
      programs: ["stream"],
      patience: PATIENCE_MS,
      tell: write,
    });
  } catch (error) {
    console.error(`vm: cannot run tests under a stock kernel: ${messageOf(error)}`);
    return 1;
  }
}

Deno.exit(await main(Deno.args));
