/** Runs `lease_child.ts`, plain or under strace with a fault injected. */

const child = new URL("./lease_child.ts", import.meta.url).pathname;

export interface Result {
  readonly code: number;
  readonly output: string;
}

/** A fault in one system call on one path, as strace's `inject=` takes it. */
export interface Fault {
  readonly path: string;
  readonly call: string;
  /** `signal=KILL`, `error=EIO`. */
  readonly effect: string;
  /** The how-manieth such call of a thread. */
  readonly when: number;
}

/** Why faults cannot be injected here, or undefined. */
export function injectionMissing(): string | undefined {
  if (Deno.uid() !== 0) return "needs root";
  try {
    const { success } = new Deno.Command("strace", { args: ["-V"], stdout: "null", stderr: "null" })
      .outputSync();
    return success ? undefined : "needs a working strace";
  } catch {
    return "needs strace";
  }
}

/** Lets host `host` acquire a subnet in a process of its own. */
export function acquireInChild(path: string, host: number, fault?: Fault): Promise<Result> {
  const args = ["run", "-A", "-q", child, "acquire", path, String(host)];
  if (fault === undefined) return run(Deno.execPath(), args);
  const { call, effect, when } = fault;
  return run("unshare", [
    ...straced(fault.path, "/dev/null"),
    ...["-e", `trace=${call}`, "-e", `inject=${call}:${effect}:when=${when}`],
    Deno.execPath(),
    ...args,
  ]);
}

/** The names of the system calls on `traced` with which a healthy process acquires a subnet, each once. */
export async function callsInChild(path: string, host: number, traced: string): Promise<string[]> {
  const output = `${path}.calls`;
  const args = ["run", "-A", "-q", child, "acquire", path, String(host)];
  const result = await run("unshare", [...straced(traced, output), Deno.execPath(), ...args]);
  if (result.code !== 0) throw new Error(`the child failed: ${result.output}`);
  const lines = (await Deno.readTextFile(output)).matchAll(/^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)/gm);
  return [...new Set([...lines].map(([, call]) => call!))];
}

/** The command that runs another under strace, for the calls on one path. */
function straced(path: string, output: string): string[] {
  return [
    // In a process namespace of its own the child's number, and so its temporary file's name, is known.
    ...["--pid", "--fork", "--kill-child", "strace", "-f", "-qq", "-o", output],
    ...["2", "3", "4"].flatMap((pid) => ["-P", path.replace("PID", pid)]),
  ];
}

/** A process that holds the writers' lock until it is disposed. */
export async function holdLockInChild(path: string): Promise<AsyncDisposable> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", child, "hold", path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  if (new TextDecoder().decode(value) !== "held\n") throw new Error("the child does not hold the lock");
  let ended = false;
  return {
    async [Symbol.asyncDispose]() {
      if (ended) return;
      ended = true;
      await process.stdin.close();
      await reader.cancel();
      await process.status;
    },
  };
}

async function run(command: string, args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
