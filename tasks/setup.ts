/**
 * Installs what flan's tasks need and this machine lacks: `deno run -A tasks/setup.ts [run|test|bench]`.
 * Says what it installs. Where it may not install, it says what to run and exits with 5.
 */

interface Need {
  /** A file that is there once the package is; found on PATH, or among the libraries. */
  readonly program?: string;
  readonly library?: string;
  /** Debian's package. */
  readonly package: string;
  readonly why: string;
}

const needs: Readonly<Record<"run" | "test" | "bench", readonly Need[]>> = {
  run: [
    { library: "libnl-3.so.200", package: "libnl-3-200", why: "speaks netlink" },
    { program: "ip", package: "iproute2", why: "makes the demo's namespaces" },
    { program: "ping", package: "iputils-ping", why: "checks reachability" },
  ],
  test: [
    { program: "strace", package: "strace", why: "kills flan at every system call" },
    { program: "nft", package: "nftables", why: "plays the administrator's firewall" },
    { program: "nginx", package: "nginx-light", why: "asks for client certificates before a store" },
    { program: "zsh", package: "zsh", why: "loads the completions" },
    { program: "fish", package: "fish", why: "loads the completions" },
    { program: "setpriv", package: "util-linux", why: "runs flan without root" },
    { program: "etcd", package: "etcd-server", why: "is a store that flannel's hosts share" },
    { program: "etcdctl", package: "etcd-client", why: "looks at that store, and damages it" },
    { program: "openssl", package: "openssl", why: "makes certificates" },
  ],
  bench: [{ program: "iperf3", package: "iperf3", why: "measures throughput" }],
};

const order = ["run", "test", "bench"] as const;

function has({ program, library }: Need): boolean {
  const folders = library === undefined
    ? (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin")
    : libraryFolders();
  return folders.some((folder) => exists(`${folder}/${program ?? library}`));
}

function libraryFolders(): string[] {
  const triplet = `${Deno.build.arch}-linux-gnu`;
  return [`/usr/lib/${triplet}`, `/lib/${triplet}`, "/usr/lib64", "/usr/lib", "/lib"];
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program with its output on stderr; stdout is for answers. */
async function run(argv: readonly string[]): Promise<number> {
  const [program, ...args] = argv as [string, ...string[]];
  const child = new Deno.Command(program, {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
  return (await child.output()).code;
}

/** Installs the packages; resolves to whether that worked. */
async function install(packages: readonly string[]): Promise<boolean> {
  if (Deno.uid() !== 0 || !exists("/usr/bin/apt-get")) return false;
  console.error(`setup: installing ${packages.join(", ")} with apt-get`);
  const command = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", ...packages];
  // A fresh machine has no package lists yet, or old ones: they are fetched when the first try fails.
  return await run(command) === 0 ||
    (await run(["apt-get", "update", "--quiet=2"]) === 0 && await run(command) === 0);
}

async function main(level: string): Promise<number> {
  if (!(order as readonly string[]).includes(level)) {
    console.error(`setup: "${level}" is not one of ${order.join(", ")}`);
    return 2;
  }
  const wanted = order.slice(0, order.indexOf(level as (typeof order)[number]) + 1).flatMap((name) =>
    needs[name]
  );
  const missing = wanted.filter((need) => !has(need));
  if (missing.length === 0) return 0;
  for (const need of missing) {
    console.error(`setup: ${need.program ?? need.library} is missing (${need.why})`);
  }
  const packages = [...new Set(missing.map((need) => need.package))];
  if (await install(packages) && missing.every(has)) return 0;
  console.error(
    `setup: cannot install here, please run: apt-get update && apt-get install ${packages.join(" ")}`,
  );
  return 5;
}

Deno.exit(await main(Deno.args[0] ?? "run"));
