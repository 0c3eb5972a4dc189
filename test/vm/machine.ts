/**
 * Runs a command in a virtual machine that boots a stock kernel and sees this host's files, which it cannot change.
 * QEMU emulates the processor (TCG), so that no machine needs more for this than the packages.
 */
import { must } from "../../cmd/demo/shell.ts";
import { type StockKernel, tool } from "./stock_kernel.ts";

export interface Job {
  /** Run by the guest's root, with this process's environment and working directory. */
  readonly argv: readonly string[];
  /** What is added to that environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The C programs of this folder that it needs, by name: compiled here, where that is quick. */
  readonly programs: readonly string[];
  /** After so many milliseconds the machine is switched off. */
  readonly patience: number;
  /** Takes the command's output, stderr among it, as it comes. */
  readonly tell: (text: string) => void;
}

/** MiB. What the command writes is kept there, too. */
const MEMORY = 1024;

/** How much longer everything takes there. */
const SLOWNESS = 10;

/** The command's exit code. Throws where the machine ends without one, or in time with none. */
export async function runInMachine(kernel: StockKernel, job: Job): Promise<number> {
  const { patience, tell } = job;
  const dir = Deno.makeTempDirSync({ prefix: "flan-vm-" });
  try {
    writeJob(dir, kernel, job);
    for (const name of job.programs) await compile(name, `${dir}/${name}`);
    const abort = AbortSignal.timeout(patience);
    const child = new Deno.Command(tool("setpriv"), {
      // It ends with this process, however that ends.
      args: ["--pdeathsig", "KILL", tool("qemu-system-x86_64"), ...machineOf(kernel, dir)],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: abort,
    }).spawn();
    const complaints = new Response(child.stderr).text();
    const decoder = new TextDecoderStream() as TransformStream<Uint8Array, string>;
    for await (const text of child.stdout.pipeThrough(decoder)) tell(text);
    await child.status;
    const status = read(`${dir}/status`).trim();
    if (status !== "") return Number(status);
    if (abort.aborted) throw new Error(`vm: switched off after ${patience / 1000} s`);
    const last = read(`${dir}/console`).trimEnd().split("\n").slice(-20).join("\n");
    throw new Error(`vm: the machine ended without a result: ${await complaints}\n${last}`);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

async function compile(name: string, path: string): Promise<void> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  await must(["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, source]);
}

/** Where a job finds one of its programs in the machine, to which `guest/init.sh` shows its directory. */
export function guestProgram(name: string): string {
  return `/run/vm/job/${name}`;
}

/** What `guest/job.sh` finds. */
function writeJob(
  dir: string,
  { release, modules }: StockKernel,
  { argv, environment: more }: Pick<Job, "argv" | "environment">,
): void {
  Deno.writeTextFileSync(`${dir}/settings`, `release=${release}\nmodules=${quote(modules)}\n`);
  const variables = { ...Deno.env.toObject(), ...more, TEST_SLOWNESS: `${SLOWNESS}` };
  const environment = Object.entries(variables).filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    .map(([name, value]) => `export ${name}=${quote(value)}\n`);
  const command = argv.map(quote).join(" ");
  Deno.writeTextFileSync(
    `${dir}/command`,
    `${environment.join("")}cd ${quote(Deno.cwd())} || exit 125\nexec ${command}\n`,
  );
}

function machineOf({ image, initramfs }: StockKernel, dir: string): string[] {
  const share = (tag: string, path: string, options = "") => [
    ...["-fsdev", `local,id=${tag},path=${path.replaceAll(",", ",,")},security_model=none${options}`],
    ...["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
  return [
    // Without a processor that copies by `rep movsb`, which emulation does byte by byte.
    ...["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Westmere,rdrand=on"],
    ...[
      "-smp",
      "1",
      "-m",
      String(MEMORY),
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
    ],
    ...["-kernel", image, "-initrd", initramfs, "-serial", `file:${dir.replaceAll(",", ",,")}/console`],
    // With address randomisation, what was translated for one process would not do for the next one.
    ...["-append", "console=ttyS0 panic=-1 quiet mitigations=off norandmaps cryptomgr.notests"],
    ...share("host", "/", ",readonly=on,multidevs=remap"),
    ...share("job", dir),
    ...["-device", "virtio-serial-pci", "-chardev", "file,id=output,path=/dev/stdout"],
    ...["-device", "virtserialport,nr=1,chardev=output"],
  ];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function read(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
