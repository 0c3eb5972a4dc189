/**
 * Debian's stock kernel, unpacked from its package into a cache outside the tree: as a plain ELF file, with the modules
 * that networks need, and an initramfs that finds the host's files.
 */
import { must } from "../../cmd/demo/shell.ts";

export interface StockKernel {
  /** `6.1.0-56-amd64`. */
  readonly release: string;
  /** The kernel as QEMU starts it at once: one that unpacks itself takes several seconds in emulation. */
  readonly image: string;
  readonly initramfs: string;
  /** The directory that has to be `/lib/modules/RELEASE`. */
  readonly modules: string;
}

/** Depends on the newest kernel of the distribution. */
const PACKAGE = "linux-image-amd64";

/** What of the package is kept: some 400 MB are drivers of devices that no virtual machine has. */
const KEPT = [
  "./boot/vmlinuz-*",
  "./lib/modules/*/modules.*",
  ...["arch", "crypto", "fs/9p", "fs/fscache", "fs/netfs", "fs/overlayfs", "lib", "net"].map(inModules),
  ...["char", "net/*.ko", "net/bonding", "net/vxlan", "net/wireguard", "virtio"].map((one) =>
    inModules(`drivers/${one}`)
  ),
];

/** What the initramfs needs before the host's files are there, with what these need in turn. */
const EARLY = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"];

/** The kernel in the cache, which is filled at first use. Throws FlanError, with the command that failed. */
export async function stockKernel(): Promise<StockKernel> {
  const cache = cacheDirectory();
  const ready = `${cache}/kernel`;
  if (!exists(ready)) await unpack(cache, ready);
  const release = [...Deno.readDirSync(`${ready}/lib/modules`)][0]!.name;
  const initramfs = `${ready}/initramfs`;
  await buildInitramfs(initramfs, { root: ready, release });
  return { release, image: `${ready}/vmlinux`, initramfs, modules: `${ready}/lib/modules/${release}` };
}

function cacheDirectory(): string {
  const home = Deno.env.get("HOME") || "/root";
  return `${Deno.env.get("XDG_CACHE_HOME") || `${home}/.cache`}/flan/vm`;
}

function inModules(path: string): string {
  return `./lib/modules/*/kernel/${path}`;
}

/** Fetches and unpacks the package beside its place, and puts it there when it is whole. */
async function unpack(cache: string, ready: string): Promise<void> {
  Deno.mkdirSync(cache, { recursive: true });
  const scratch = Deno.makeTempDirSync({ dir: cache, prefix: "unpacking-" });
  try {
    console.error(`vm: fetching ${PACKAGE}`);
    await must(["sh", "-c", FETCH, scratch, PACKAGE]);
    const root = `${scratch}/root`;
    Deno.mkdirSync(root);
    await must(["sh", "-c", EXTRACT, scratch, root, ...KEPT]);
    const release = [...Deno.readDirSync(`${root}/lib/modules`)][0]!.name;
    await must([tool("depmod"), "-b", root, release]);
    await writePlain(`${root}/boot/vmlinuz-${release}`, `${root}/vmlinux`);
    Deno.renameSync(root, ready);
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

/** The package lists of a fresh machine are fetched when the first try fails. */
const FETCH = `
cd "$0"
name() { apt-cache depends "$1" | sed -n 's/.*Depends: \\(linux-image-.*\\)/\\1/p' | head -n 1; }
get() { set -- "$(name "$1")"; test -n "$1" && apt-get download --quiet=2 "$1"; }
get "$1" || { apt-get update --quiet=2 && get "$1"; }
`;

const EXTRACT = `
cd "$0"
to=$1
shift
dpkg-deb --fsys-tarfile ./*.deb | tar -x -C "$to" --wildcards "$@"
`;

/**
 * The kernel without its own unpacker. Where its compressed part lies is said in its header: `setup_sects` at 0x1f1 in
 * sectors, `payload_offset` at 0x248 and `payload_length` at 0x24c (Documentation/arch/x86/boot.rst). The last four
 * bytes of the part are its unpacked length.
 */
async function writePlain(packed: string, plain: string): Promise<void> {
  const bytes = Deno.readFileSync(packed);
  const view = new DataView(bytes.buffer);
  const begin = (view.getUint8(0x1f1) + 1) * 512 + view.getUint32(0x248, true);
  const payload = `${plain}.xz`;
  Deno.writeFileSync(payload, bytes.subarray(begin, begin + view.getUint32(0x24c, true) - 4));
  await must(["xz", "--decompress", payload]);
}

/** Made anew each time: it holds our own scripts. */
async function buildInitramfs(
  file: string,
  { root, release }: { root: string; release: string },
): Promise<void> {
  const tree = Deno.makeTempDirSync({ prefix: "flan-initramfs-" });
  try {
    for (const name of ["bin", "dev", "host", "layer", "modules", "proc", "root", "sys"]) {
      Deno.mkdirSync(`${tree}/${name}`);
    }
    Deno.copyFileSync(tool("busybox"), `${tree}/bin/busybox`);
    for (const [name, place] of [["init.sh", "init"], ["job.sh", "job.sh"]] as const) {
      Deno.copyFileSync(new URL(`guest/${name}`, import.meta.url), `${tree}/${place}`);
    }
    Deno.chmodSync(`${tree}/init`, 0o755);
    const shown = await must([tool("modprobe"), "-d", root, "-S", release, "--show-depends", "-a", ...EARLY]);
    const modules = new Set([...shown.matchAll(/^insmod (\S+)/gm)].map(([, path]) => path!));
    // Their names keep the order in which they can be loaded.
    [...modules].forEach((path, i) => Deno.copyFileSync(path, `${tree}/modules/${100 + i}.ko`));
    const partial = `${file}.${Deno.pid}`;
    await must(["sh", "-c", 'cd "$0" && find . | busybox cpio -o -H newc >"$1" 2>/dev/null', tree, partial]);
    Deno.renameSync(partial, file);
  } finally {
    Deno.removeSync(tree, { recursive: true });
  }
}

/** Path of a program, also where only root has its directory on PATH. Throws where it is not installed. */
export function tool(name: string): string {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  const found = folders.map((folder) => `${folder}/${name}`).find(exists);
  if (found !== undefined) return found;
  throw new Error(`${name} is not installed: deno task setup test`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
