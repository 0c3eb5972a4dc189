/** `flan doctor --bundle FILE`: what somebody who helps wants to see, in one archive, without secrets. */
import { FlanError, invalid, systemReason } from "../../net/errors.ts";
import { display } from "../config.ts";
import { type Context, subnetFileOf } from "../context.ts";
import { flanCommand } from "../self.ts";
import { environmentName, settingKeys } from "../settings.ts";
import { version } from "../version.ts";
import { runProgram } from "./program.ts";
import { redact, redactDocument } from "./redact.ts";

/** Bytes of one part; of a longer one the beginning is kept, of a log the end. */
const MAX_PART = 2 << 20;
const PATIENCE_SECONDS = 10;
/** The folder in the archive. */
const FOLDER = "flan-doctor";

/** What flan says of itself, by the name of the part. */
const asked: Readonly<Record<string, readonly string[]>> = {
  "config-show.json": ["config", "show", "--json"],
  "network-config.json": ["config", "get"],
  "status.json": ["status", "--json"],
  "routes.json": ["routes", "--json"],
  "routes-diff.json": ["routes", "diff", "--json"],
  "leases.json": ["lease", "list", "--json"],
};

/** What other programs say, where they are installed. */
const programs: Readonly<Record<string, readonly [string, ...string[]]>> = {
  "links.txt": ["ip", "-d", "link", "show"],
  "addresses.txt": ["ip", "address", "show"],
  "routes.txt": ["ip", "route", "show", "table", "all"],
  "rules.txt": ["ip", "rule", "show"],
  "nexthops.txt": ["ip", "nexthop", "show"],
  "neighbours.txt": ["ip", "neighbour", "show"],
  "fdb.txt": ["bridge", "fdb", "show"],
  "nft.txt": ["nft", "list", "ruleset"],
  "iptables.txt": ["iptables-save"],
  "counters.txt": ["nstat", "--noupdate", "--ignore", "--zeros"],
  "udp-sockets.txt": ["ss", "-ulnp"],
};

/**
 * Writes the archive (tar, gzip) to a new file that only its owner may read. `report` is the doctor's own document.
 * Files that hold secrets are not read. Throws `invalid` for a file that exists or cannot be made, and `unsupported`
 * where tar is missing.
 */
export async function writeBundle(context: Context, file: string, report: string): Promise<void> {
  using target = openNew(file);
  const folder = Deno.makeTempDirSync({ prefix: "flan-doctor-" });
  try {
    Deno.mkdirSync(`${folder}/${FOLDER}`, { mode: 0o700 });
    const parts = { "doctor.json": redactDocument(report), ...await partsOf(context) };
    for (const [name, text] of Object.entries(parts)) {
      Deno.writeTextFileSync(`${folder}/${FOLDER}/${name}`, text, { mode: 0o600 });
    }
    await pack(folder, target);
  } catch (error) {
    Deno.removeSync(file);
    throw error;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function partsOf(context: Context): Promise<Record<string, string>> {
  const { settings } = context;
  const env = environmentOf(context);
  const parts: Record<string, string> = {
    "versions.txt": [
      `flan ${version}`,
      `deno ${Deno.version.deno}`,
      head("/proc/version"),
      head("/etc/os-release"),
    ].join("\n"),
    "subnet.env.txt": redact(head(subnetFileOf(settings).subnetFile)),
    "agent-log.txt": redact(tail(settings.logFile ?? `${settings.runDir}/agent.log`)),
    "proxy-log.txt": redact(tail(`${settings.runDir}/proxy.log`)),
  };
  for (const [name, args] of Object.entries(asked)) {
    parts[name] = redactDocument(await said(flanCommand(args), env));
  }
  for (const [name, argv] of Object.entries(programs)) parts[name] = redact(await said(argv));
  return parts;
}

/** The settings that were given as flags, for the commands that are asked. A command line is everybody's to read. */
function environmentOf({ settings, sources, file }: Context): Record<string, string> {
  const given = settingKeys.filter((key) => sources[key] === "flag")
    .map((key) => [environmentName(key), display(key, settings[key])]);
  return { ...Object.fromEntries(given), ...(file === undefined ? {} : { FLAN_CONFIG: file }) };
}

/** What a program prints, with its complaints and its exit code where there are any. */
async function said(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  try {
    const limits = { seconds: PATIENCE_SECONDS, output: MAX_PART, env };
    const { code, stdout, stderr } = await runProgram(argv, limits);
    const text = cut(stdout.text, stdout.length);
    return stderr.text === "" ? text : `${text}\n# exit code ${code}\n${stderr.text}`;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "# timeout (coreutils) is not installed\n";
  }
}

function cut(text: string, length: number): string {
  return length > MAX_PART ? `${text}\n# cut: it has ${length} bytes\n` : text;
}

function head(path: string): string {
  return part(path, () => 0);
}

function tail(path: string): string {
  return part(path, (size) => Math.max(0, size - MAX_PART));
}

/** Part of a file, or why there is none. */
function part(path: string, from: (size: number) => number): string {
  try {
    using file = Deno.openSync(path, { read: true });
    file.seekSync(from(file.statSync().size), Deno.SeekMode.Start);
    const bytes = new Uint8Array(MAX_PART);
    return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  } catch (error) {
    return `# ${path}: ${systemReason(error)}\n`;
  }
}

function openNew(file: string): Deno.FsFile {
  try {
    return Deno.openSync(file, { createNew: true, write: true, mode: 0o600 });
  } catch (error) {
    const why = error instanceof Deno.errors.AlreadyExists ? "it exists already" : systemReason(error);
    throw invalid("doctor.bundle", `Cannot write bundle ${file}: ${why}`, "name a new file");
  }
}

async function pack(folder: string, target: Deno.FsFile): Promise<void> {
  const args = ["-C", folder, "--owner=0", "--group=0", "--numeric-owner", "-cz", FOLDER];
  try {
    const command = new Deno.Command("tar", { args, stdin: "null", stdout: "piped", stderr: "piped" });
    const { success, stdout, stderr } = await command.output();
    if (!success) throw failed(new TextDecoder().decode(stderr).trim());
    for (let rest: Uint8Array = stdout; rest.length > 0;) rest = rest.subarray(target.writeSync(rest));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw failed("tar is not installed");
  }
}

function failed(why: string): FlanError {
  return new FlanError(`Cannot pack the bundle: ${why}`, {
    op: "doctor.bundle",
    code: "unsupported",
    hint: "apt-get install tar gzip",
  });
}
