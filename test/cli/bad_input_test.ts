/** Whatever is typed wrongly gets one clear sentence on stderr, exit code 2, and changes nothing. */
import assert from "node:assert/strict";
import { isPrintable } from "../../net/text.ts";
import { fixture, inParallel, type Said, Sandbox } from "./sandbox.ts";

interface Case {
  readonly name: string;
  /** What the sentence contains; `{dir}` and `{file}` stand for the sandbox and the config file. */
  readonly says: string;
  readonly hint?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The config file: as text, as bytes, or as a line many times over. */
  readonly text?: string;
  readonly bytes?: readonly number[];
  readonly repeat?: readonly [string, number];
  readonly before?: string;
  readonly json?: boolean;
  /** Files in the run directory. */
  readonly run?: Readonly<Record<string, string>>;
}

const flags = fixture<Case[]>("bad/flags.json");
const settings = fixture<Case[]>("bad/settings.json").map((one): Case => ({
  ...one,
  args: ["config", "show", ...one.args ?? []],
}));
const cases = [...flags, ...settings];

/** All outcomes, made by the first test that asks. */
let outcomes: Promise<ReadonlyMap<Case, Outcome>> | undefined;

interface Outcome extends Said {
  readonly sandbox: Sandbox;
  readonly file: string;
  readonly written: readonly string[];
}

async function runAll(): Promise<ReadonlyMap<Case, Outcome>> {
  return new Map(await inParallel(cases, async (one) => [one, await run(one)] as const));
}

async function run(one: Case): Promise<Outcome> {
  using sandbox = new Sandbox();
  const file = `${sandbox.dir}/config.${one.json ? "json" : "yaml"}`;
  if (one.text !== undefined) sandbox.write(file.slice(sandbox.dir.length + 1), one.text);
  if (one.bytes !== undefined) sandbox.write("config.yaml", Uint8Array.from(one.bytes));
  if (one.repeat !== undefined) {
    sandbox.write("config.yaml", (one.before ?? "") + one.repeat[0].repeat(one.repeat[1]));
  }
  for (const [name, text] of Object.entries(one.run ?? {})) sandbox.write(`run/${name}`, text);
  const filled = (text: string) => text.replaceAll("{dir}", sandbox.dir);
  const env = Object.fromEntries(Object.entries(one.env ?? {}).map(([key, text]) => [key, filled(text)]));
  const before = sandbox.list();
  const said = await sandbox.flan((one.args ?? []).map(filled), { env: { FLAN_CONFIG: file, ...env } });
  const written = sandbox.list().filter((path) => !before.includes(path));
  return { ...said, sandbox, file, written };
}

for (const one of cases) {
  Deno.test(`bad input: ${one.name}`, async () => {
    outcomes ??= runAll();
    const { code, stdout, stderr, sandbox, file, written } = (await outcomes).get(one)!;
    const filled = (text: string) => text.replaceAll("{dir}", sandbox.dir).replaceAll("{file}", file);
    const [sentence = "", hint = "", ...rest] = stderr.split("\n");
    assert.ok(sentence.startsWith("flan: ") && sentence.includes(filled(one.says)), stderr);
    assert.ok(!sentence.endsWith(".") && sentence.length < 600, sentence);
    assert.ok(isPrintable(sentence) && isPrintable(hint), JSON.stringify(stderr));
    if (one.hint === undefined) assert.ok(hint === "" || hint.startsWith("hint: "), stderr);
    else assert.ok(hint.startsWith("hint: ") && hint.includes(filled(one.hint)), stderr);
    assert.deepEqual(rest.filter((line) => line !== ""), [], "one sentence and one hint, no more");
    assert.equal(stdout, "");
    assert.equal(code, 2);
    assert.deepEqual(written, []);
  });
}

Deno.test("a network config file that flannel would refuse is refused with the file's name", async () => {
  using sandbox = new Sandbox();
  const all = fixture<{ config: unknown; says: string }[]>("config/network-bad.json");
  const some = [0, 3, 9, 17, 20, 27, 30].map((i) => all[i]!);
  await inParallel(some, async ({ config, says }) => {
    const file = sandbox.write(
      `${all.findIndex((one) => one.config === config)}.json`,
      JSON.stringify(config),
    );
    const { code, stdout, stderr } = await sandbox.flan(["config", "check", file]);
    assert.ok(stderr.startsWith(`flan: Cannot use the network config in ${file}: `), stderr);
    assert.ok(stderr.includes(says), stderr);
    assert.deepEqual([code, stdout, stderr.split("\n").length], [2, "", 2]);
  });
});
