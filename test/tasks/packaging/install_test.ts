/** `deno task install` and `uninstall` as they are run, and the flan that they leave. */
import assert from "node:assert/strict";
import { rootFolder } from "../../../net/own_files.ts";
import { removeJoined, writeJoined } from "../../../agent/joined.ts";
import { makeRunDir, tryLockAgent } from "../../../agent/lock.ts";
import { version } from "../../../cmd/version.ts";
import { manifestPath } from "../../../tasks/packaging/manifest.ts";
import { Root } from "./root.ts";

function task(name: string, args: readonly string[], { within = [] }: { within?: readonly string[] } = {}) {
  return run([
    ...within,
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    `${rootFolder}tasks/${name}.ts`,
    ...args,
  ]);
}

function run(argv: readonly string[], { clearEnv = false }: { clearEnv?: boolean } = {}) {
  const [program, ...args] = argv as [string, ...string[]];
  const { code, stdout, stderr } = new Deno.Command(program, {
    args,
    clearEnv,
    cwd: "/",
    env: clearEnv ? {} : { NO_COLOR: "1" },
  }).outputSync();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Who owns nothing and may write nowhere. */
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const needsRoot = Deno.uid() === 0 ? undefined : "needs root";
const name = (text: string) => needsRoot === undefined ? text : `${text} (${needsRoot})`;

/** Over an older version, of which an agent runs and compiled code lies there; nothing of either is left. */
function installBesideAgent(root: Root) {
  root.write("/var/cache/flan/older", "");
  const runDir = `${root.path}/run/flan`;
  makeRunDir(runDir);
  const agent = tryLockAgent(runDir);
  const told = task("install", ["--root", root.path]);
  agent?.release();
  assert.throws(() => Deno.statSync(`${root.path}/var/cache/flan`), Deno.errors.NotFound);
  for (const path of ["run", "var"]) Deno.removeSync(`${root.path}/${path}`, { recursive: true });
  return told;
}

/** What is compiled at the installation is all that any command loads. */
function everybodysCacheIsWhole(home: string): void {
  const cache = Deno.makeTempDirSync({ prefix: "flan-cache-" });
  try {
    const made = run(["env", "-i", `DENO_DIR=${cache}`, `${home}/bin/compile`], { clearEnv: true });
    assert.deepEqual(made, { code: 0, stdout: "", stderr: "" });
    const files = [...Deno.readDirSync(cache)].filter(({ name }) => name.startsWith("v8_code_cache"));
    const kept = files.map(({ name }) =>
      new TextDecoder("latin1").decode(Deno.readFileSync(`${cache}/${name}`))
    );
    const modules = [...Deno.readDirSync(`${home}/bundle`)].filter(({ name }) => name.endsWith(".js"));
    assert.ok(modules.length > 10);
    for (const { name } of modules) assert.ok(kept.some((text) => text.includes(`/bundle/${name}`)), name);
  } finally {
    Deno.removeSync(cache, { recursive: true });
  }
}

Deno.test({
  name: name(
    "install: anybody runs it, with an empty environment and no place to write; uninstall leaves nothing",
  ),
  ignore: needsRoot !== undefined,
  fn: () => {
    using root = new Root();
    Deno.chmodSync(root.path, 0o755);
    const flan = `${root.path}/usr/local/bin/flan`;
    const { code, stderr } = installBesideAgent(root);
    const [told, hint] = stderr.split("\n");
    assert.deepEqual([code, told], [0, `install: ${flan} is there; nothing is started`]);
    assert.match(hint!, new RegExp(`^hint: an agent .*\\bsystemctl restart flan\\b.*\\bkill ${Deno.pid}\\b`));
    const before = root.list();
    // Not where installed programs keep it, because this machine is to stay as it is.
    const env = ["env", "-i", "DENO_DIR=/proc/nowhere"];
    assert.deepEqual(run([...nobody, ...env, flan, "--version"], { clearEnv: true }), {
      code: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
    const shown = run([...env, flan, "config", "show", "-o", "json"], { clearEnv: true });
    assert.equal(shown.code, 0, shown.stderr);
    assert.deepEqual(root.list(), before, "running it leaves nothing beside it");
    const settings = (file: string) => JSON.parse(Deno.readTextFileSync(file));
    const installed = settings(`${root.path}/usr/local/lib/flan/deno.json`);
    assert.deepEqual(installed.unstable, settings(`${rootFolder}deno.json`).unstable, "it starts as quickly");
    everybodysCacheIsWhole(`${root.path}/usr/local/lib/flan`);
    const gone = task("uninstall", ["--root", root.path, "--purge"]);
    assert.deepEqual([gone.code, gone.stderr], [0, `uninstall: ${flan} is gone, with settings and state\n`]);
    assert.deepEqual(root.list(), []);
  },
});

Deno.test({
  name: name("install: who may not is told so in a sentence, with exit 5"),
  ignore: needsRoot !== undefined,
  fn: () => {
    using root = new Root();
    Deno.chmodSync(root.path, 0o555);
    // Without the capabilities by which root may write anywhere; everything else can still be read.
    const within = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"];
    Deno.chownSync(root.path, 65534, 65534);
    const { code, stderr } = task("install", ["--root", root.path], { within });
    assert.deepEqual([code, stderr.trimEnd().split("\n").length], [5, 1], stderr);
    assert.match(
      stderr,
      /^install: Cannot change \/.*: Permission denied \(os error 13\), please run it as root$/m,
    );
    assert.deepEqual(root.list(), []);
  },
});

Deno.test("install: flags that are no paths, or unknown, are usage errors", () => {
  for (
    const args of [
      ["--prefix", "relative"],
      ["--prefix", "/"],
      ["--prefix", "/opt/my apps"],
      ["--prefix", "/a%n"],
      ["--prefix", "/a$&"],
      ["--root", "/a/../b"],
      ["--nonsense"],
      [
        "word",
      ],
    ]
  ) {
    for (const name of ["install", "uninstall"]) {
      const { code, stderr } = task(name, args);
      assert.deepEqual([code, stderr.trimEnd().split("\n").length], [2, 1], stderr);
      assert.match(stderr, new RegExp(`^${name}: Cannot use `));
    }
  }
});

/** A host whose settings and leases would be missed. */
function lived(root: Root): void {
  root.write("/etc/flan/config.yaml", "verbose: true\n");
  root.write("/var/lib/flan/network.json", "{}\n");
  root.write("/var/cache/flan/compiled", "");
}

Deno.test("uninstall: where nothing is installed that is said, and nothing is removed", () => {
  using root = new Root();
  lived(root);
  const before = root.list();
  for (const flags of [[], ["--purge"]]) {
    const { code, stderr } = task("uninstall", ["--root", root.path, ...flags]);
    assert.deepEqual([code, stderr], [0, `uninstall: nothing is installed below ${root.path}/usr/local\n`]);
    assert.deepEqual(root.list(), before);
  }
});

Deno.test("uninstall: a host in a network keeps all until it has left it, or its settings are not asked for", async () => {
  using root = new Root();
  lived(root);
  root.write(manifestPath("/usr/local"), "/usr/local/bin/flan\n");
  root.write("/usr/local/bin/flan", "");
  const runDir = `${root.path}/run/flan`;
  makeRunDir(runDir);
  const refused = (why: string) => {
    const before = root.list();
    const { code, stderr } = task("uninstall", ["--root", root.path, "--purge"]);
    assert.equal(
      stderr,
      `uninstall: Cannot remove ${root.path}/etc/flan and ${root.path}/var/lib/flan: ${why}\n` +
        "hint: run flan down first, or leave --purge out\n",
    );
    assert.equal(code, 1);
    assert.deepEqual(root.list(), before);
  };
  const agent = tryLockAgent(runDir);
  refused("an agent runs on this host");
  agent?.release();
  await writeJoined(runDir, { pid: 7, settings: {}, found: {} });
  refused("this host is in a network");
  const flan = `${root.path}/usr/local/bin/flan`;
  const plain = task("uninstall", ["--root", root.path]);
  assert.deepEqual([plain.code, plain.stderr], [0, `uninstall: ${flan} is gone\n`]);
  assert.equal(root.read("/var/lib/flan/network.json"), "{}\n");
  root.write(manifestPath("/usr/local"), "/usr/local/bin/flan\n");
  removeJoined(runDir);
  const purged = task("uninstall", ["--root", root.path, "--purge"]);
  assert.deepEqual([purged.code, purged.stderr], [
    0,
    `uninstall: ${flan} is gone, with settings and state\n`,
  ]);
  assert.deepEqual(root.list().filter((path) => / \/(etc|var\/lib)\/flan/.test(path)), []);
});
