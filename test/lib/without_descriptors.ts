/** A process of our own that has no file descriptor left, as a busy host may have none. */

/** Few enough to be used up at once, and more than Deno itself needs to start. */
const LIMIT = 100;

export interface Script {
  /** Modules by the names that they have in the script, loaded while there are descriptors. */
  readonly modules: Readonly<Record<string, URL>>;
  /** Runs while there are descriptors: what is opened once and kept. */
  readonly before?: string;
  /** Statements whose values are printed, each on a line; what one throws is printed as `NAME CODE: MESSAGE`. */
  readonly then: readonly string[];
}

/** Resolves to how it ended and the lines that it printed. */
export async function withoutDescriptors({ modules, before = "", then }: Script) {
  const imports = Object.entries(modules).map(([name, url]) => `import * as ${name} from "${url}";`);
  const lines = then.map((statement) =>
    `try { console.log(String(await ${statement})); }
     catch (error) { console.log(error.name + " " + error.code + ": " + error.message); }`
  );
  // The first line of the output is printed before, because a console that was not used yet opens files.
  const script = [
    ...imports,
    before,
    'console.log("ready");',
    "try { for (;;) Deno.openSync('/dev/null'); } catch (error) { console.log(error.code); }",
    ...lines,
  ].join("\n");
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  try {
    const child = new Deno.Command("sh", {
      args: ["-c", `ulimit -n ${LIMIT} && exec "$@"`, "sh", Deno.execPath(), "run", "-A", "-q", file],
      stderr: "inherit",
    });
    Deno.writeTextFileSync(file, script);
    const { code, stdout } = await child.output();
    return { code, lines: new TextDecoder().decode(stdout).trim().split("\n") };
  } finally {
    Deno.removeSync(file);
  }
}
