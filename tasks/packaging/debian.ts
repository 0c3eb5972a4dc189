/** A Debian package from the same files as an installation below `/usr`. */
import { createHash } from "node:crypto";
import { version } from "../../cmd/version.ts";
import { FlanError } from "../../net/errors.ts";
import { proxyLibraryFile, rootFolder } from "../../net/own_files.ts";
import type { Entry } from "./entry.ts";
import { layout } from "./layout.ts";
import { place } from "./place.ts";

const sources = `${rootFolder}tasks/packaging/debian`;

/** What is opened when it is needed, which no tool can find in the programs. */
const opened = ["libnl-3-200", "libnftables1"];

/** The names of one machine, in Debian's words. */
const architectures = { x86_64: "amd64", aarch64: "arm64" } as const;
export const architecture = architectures[Deno.build.arch];

/**
 * Builds `flan_VERSION_ARCHITECTURE.deb` in `folder`, and returns its path. For Debian 12, Ubuntu 22.04 and later
 * ones, which know its compression. Throws FlanError where one of Debian's programs is missing or refuses.
 */
export async function buildPackage(folder: string): Promise<string> {
  const scratch = await Deno.makeTempDir({ prefix: "flan-deb-" });
  try {
    const [packages, root] = [`${scratch}/packages`, `${scratch}/root`];
    for (const path of [packages, root]) await Deno.mkdir(path, { mode: 0o755 });
    const entries = [...await layout("/usr", packages), documentation()];
    place(entries, root);
    place(await control(entries, root), root);
    const path = `${folder}/flan_${version}_${architecture}.deb`;
    await must(["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", root, `${path}.new`], {
      cwd: scratch,
    });
    await Deno.rename(`${path}.new`, path);
    return path;
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function documentation(): Entry {
  const content = { file: `${sources}/copyright` };
  return { kind: "file", path: "/usr/share/doc/flan/copyright", mode: 0o644, content };
}

/** The files that dpkg reads, for what is placed below `root`. */
async function control(entries: readonly Entry[], root: string): Promise<Entry[]> {
  const files = entries.filter(({ kind }) => kind === "file").map(({ path }) => path).sort();
  const text = (name: string, content: string): Entry => ({
    kind: "file",
    path: `/DEBIAN/${name}`,
    mode: 0o644,
    content,
  });
  return [
    text("control", await controlFields(files, root)),
    // Whatever lies there is an administrator's to change.
    text("conffiles", files.filter((path) => path.startsWith("/etc/")).map((path) => `${path}\n`).join("")),
    text("md5sums", files.map((path) => `${md5(root + path)}  ${path.slice(1)}\n`).join("")),
    ...["postinst", "prerm", "postrm"].map((name): Entry => ({
      kind: "file",
      path: `/DEBIAN/${name}`,
      mode: 0o755,
      content: { file: `${sources}/${name}` },
    })),
  ];
}

async function controlFields(files: readonly string[], root: string): Promise<string> {
  const [name, email] = [Deno.env.get("DEBFULLNAME") || "flan", Deno.env.get("DEBEMAIL") || "flan@localhost"];
  const bytes = files.reduce((sum, path) => sum + Deno.statSync(root + path).size, 0);
  const depends = [
    ...await linked([`${root}/usr/lib/flan/deno`, `${root}/usr/lib/flan/${proxyLibraryFile}`]),
    ...opened,
  ];
  return `Package: flan
Version: ${version}
Architecture: ${architecture}
Maintainer: ${name} <${email}>
Section: net
Priority: optional
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: ${depends.join(", ")}
Recommends: iproute2
Suggests: wireguard-go
${await Deno.readTextFile(`${sources}/description`)}`;
}

/** The packages, with their versions, of the libraries that these programs are linked with. */
async function linked(programs: readonly string[]): Promise<string[]> {
  // It wants to stand in a source package.
  const folder = await Deno.makeTempDir({ prefix: "flan-deb-" });
  try {
    await Deno.mkdir(`${folder}/debian`);
    await Deno.writeTextFile(
      `${folder}/debian/control`,
      "Source: flan\n\nPackage: flan\nArchitecture: any\n",
    );
    const said = await must(["dpkg-shlibdeps", "-O", ...programs.map((path) => `-e${path}`)], {
      cwd: folder,
    });
    return (/^shlibs:Depends=(.+)$/m.exec(said)?.[1] ?? "").split(", ").filter(Boolean);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function md5(path: string): string {
  return createHash("md5").update(Deno.readFileSync(path)).digest("hex");
}

/** What a program prints. Throws FlanError, `unsupported` where there is no such program. */
async function must(
  [program, ...args]: readonly [string, ...string[]],
  { cwd }: { cwd: string },
): Promise<string> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
    const text = new TextDecoder();
    if (success) return text.decode(stdout);
    throw new FlanError(`Cannot build the package: ${text.decode(stderr).trim()}`, {
      op: "deb",
      code: "failed",
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const hint = "apt-get install dpkg-dev";
    throw new FlanError(`Cannot build the package: ${program} is not here`, {
      op: "deb",
      code: "unsupported",
      hint,
    });
  }
}
