/** What an installation consists of, and where each part of it lies: the one way, for `install` and the package. */
import { gzipSync } from "node:zlib";
import { mainFile } from "../../cmd/self.ts";
import { FlanError } from "../../net/errors.ts";
import { proxyLibraryFile, rootFolder } from "../../net/own_files.ts";
import { build } from "../build.ts";
import { bundle } from "./bundle.ts";
import { configTemplate } from "./config_template.ts";
import type { Entry, FileEntry } from "./entry.ts";
import { systemFiles } from "./system_files.ts";

/** Where a host keeps its settings of flan. */
export const configFolder = "/etc/flan";
/** What flan compiled; it can be taken away at any time. `bin/flan` says it too. */
export const cacheFolder = "/var/cache/flan";
/** What must survive a reboot. */
export const stateFolder = "/var/lib/flan";

/** The folder of flan's own tree below `prefix`. */
export function homeOf(prefix: string): string {
  return `${prefix}/lib/flan`;
}

/**
 * Everything that is installed with `prefix` (absolute, without a slash at its end). Builds the C library where it
 * is not up to date, and bundles flan into `scratch`, an empty folder that must last until the entries are used.
 * Throws BuildError, and FlanError where Deno refuses.
 */
export async function layout(prefix: string, scratch: string): Promise<Entry[]> {
  await build("library");
  const [{ files, licences }, ...printed] = await Promise.all([
    bundle(scratch),
    manual(prefix),
    ...completions(prefix),
  ]);
  return [
    ...files.map((path) => tree(prefix, path, { file: `${scratch}/${path}` })),
    ...licences.map(({ path, file }) => tree(prefix, path, { file })),
    tree(prefix, proxyLibraryFile, { file: rootFolder + proxyLibraryFile }),
    tree(prefix, "deno.json", await settings()),
    tree(prefix, "deno", { file: Deno.execPath() }, 0o755),
    tree(prefix, "bin/flan", { file: `${rootFolder}bin/flan` }, 0o755),
    tree(prefix, "bin/compile", { file: `${rootFolder}bin/compile` }, 0o755),
    { kind: "link", path: `${prefix}/bin/flan`, target: "../lib/flan/bin/flan" },
    ...printed,
    ...systemFiles(prefix),
    {
      kind: "file",
      path: `${configFolder}/config.yaml`,
      mode: 0o644,
      content: configTemplate(),
      keep: true,
    },
  ];
}

function tree(
  prefix: string,
  path: string,
  content: FileEntry["content"],
  mode: FileEntry["mode"] = 0o644,
): FileEntry {
  return { kind: "file", path: `${homeOf(prefix)}/${path}`, mode, content };
}

/** What of the project's `deno.json` is an installed flan's too. Deno takes none that lies in a folder above. */
async function settings(): Promise<string> {
  const { unstable } = JSON.parse(await Deno.readTextFile(`${rootFolder}deno.json`));
  return `${JSON.stringify({ unstable })}\n`;
}

/** Where shells look by themselves. Debian's zsh keeps a folder for its packages, beside the administrator's. */
const completionFiles = (prefix: string) => ({
  bash: "bash-completion/completions/flan",
  zsh: prefix === "/usr" ? "zsh/vendor-completions/_flan" : "zsh/site-functions/_flan",
  fish: "fish/vendor_completions.d/flan.fish",
});

function completions(prefix: string): Promise<FileEntry>[] {
  return Object.entries(completionFiles(prefix)).map(async ([shell, path]): Promise<FileEntry> => ({
    kind: "file",
    path: `${prefix}/share/${path}`,
    mode: 0o644,
    content: await said(["completions", shell]),
  }));
}

async function manual(prefix: string): Promise<FileEntry> {
  const content = new Uint8Array(gzipSync(await said(["man"]), { level: 9 }));
  return { kind: "file", path: `${prefix}/share/man/man8/flan.8.gz`, mode: 0o644, content };
}

/** What the flan of this tree prints. */
async function said(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", mainFile, ...args],
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new FlanError(`Cannot run flan ${args.join(" ")}: ${text.decode(stderr).trim()}`, {
    op: "install.generate",
    code: "failed",
  });
}
