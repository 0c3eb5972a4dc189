/** A fresh Debian in a root of its own: made by debootstrap, in memory, gone with everything in it afterwards. */

const text = new TextDecoder();

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Mirror {
  readonly url: string;
  readonly suite: string;
}

/** Where this machine's apt gets Debian's main packages for what the machine runs. Throws where it gets them nowhere. */
export function mirrorOfApt(): Mirror {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(Deno.readTextFileSync("/etc/os-release"))?.[1];
  const asked = ["indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"];
  const { stdout } = new Deno.Command("apt-get", { args: asked }).outputSync();
  const line = text.decode(stdout).split("\n").map((one) => one.split(" "))
    .find(([codename, component]) => codename === suite && component === "main");
  if (suite === undefined || line === undefined) {
    throw new Error(`apt knows no mirror of ${suite ?? "this system"}`);
  }
  return { url: line[2]!, suite };
}

/**
 * A namespace of mounts and processes, whose first process holds a root in memory. Nothing of it is seen from outside,
 * and whatever happens, it all goes with that process.
 */
export class CleanRoot implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;
  readonly #pid: number;
  readonly #path: string;

  private constructor(holder: Deno.ChildProcess, pid: number, path: string) {
    this.#holder = holder;
    this.#pid = pid;
    this.#path = path;
  }

  /** Throws with debootstrap's words where the mirror cannot be used. */
  static async create({ url, suite }: Mirror, packages: readonly string[]): Promise<CleanRoot> {
    const path = Deno.makeTempDirSync({ prefix: "flan-clean-root-" });
    const hold =
      'mount -t tmpfs -o mode=755 tmpfs "$0" && mkdir "$0/root" && echo ready && exec sleep infinity';
    const holder = new Deno.Command("unshare", {
      args: ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", hold, path],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    const pid = Number(Deno.readTextFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`).trim());
    const root = new CleanRoot(holder, pid, path);
    try {
      if (text.decode(value) !== "ready\n") throw new Error("a root in memory cannot be mounted");
      const include = `--include=${packages.join(",")}`;
      const made = await root.#enter([
        "debootstrap",
        "--variant=minbase",
        include,
        suite,
        `${path}/root`,
        url,
      ]);
      if (made.code !== 0) {
        throw new Error(`${suite} cannot be had from ${url}:\n${made.stdout.slice(-2000)}${made.stderr}`);
      }
      await root.#enter(["mount", "-t", "proc", "proc", `${path}/root/proc`]);
      return root;
    } catch (error) {
      await root[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program in it, without a network and with no more of an environment than a path. */
  async run(argv: readonly string[]): Promise<Said> {
    const env = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"];
    return await this.#enter(["unshare", "--net", "chroot", `${this.#path}/root`, ...env, ...argv]);
  }

  /** Copies a file of this machine into it. */
  async copy(file: string, to: string): Promise<void> {
    const { code, stderr } = await this.#enter(["cp", file, `${this.#path}/root${to}`]);
    if (code !== 0) throw new Error(stderr);
  }

  /** Every path in it, without what the kernel shows there. */
  async list(): Promise<string[]> {
    const { stdout } = await this.run(["find", "/", "-path", "/proc", "-prune", "-o", "-print"]);
    return stdout.split("\n").filter(Boolean).sort();
  }

  async #enter(argv: readonly string[]): Promise<Said> {
    const args = ["--target", String(this.#pid), "--mount", "--pid", ...argv];
    const { code, stdout, stderr } = await new Deno.Command("nsenter", { args, stdin: "null", cwd: "/" })
      .output();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.status;
    await Deno.remove(this.#path, { recursive: true });
  }
}
