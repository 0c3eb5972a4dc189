/**
 * Installs what flan's tasks need and this machine lacks: `deno run -A tasks/setup.ts [run|install|test|bench]`.
 * Says what it installs. Where it may not install, it says what to run and exits with 5.
 */

interface Need {
  /** What is there once the package is: one of these programs on PATH, a library, or a C header. */
  readonly programs?: readonly string[];
  readonly library?: string;
  readonly header?: string;
  /** Only needed on machines of this kind. */
  readonly arch?: typeof Deno.build.arch;
  /** Debian's package. */
  readonly package: string;
  readonly why: string;
}

/** Each is what those before it need, and more. */
const order = ["run", "install", "test", "bench"] as const;

const needs: Readonly<Record<typeof order[number], readonly Need[]>> = {
  run: [
    { library: "libnl-3.so.200", package: "libnl-3-200", why: "speaks netlink" },
    { library: "libnftables.so.1", package: "libnftables1", why: "sets masquerade and forward rules" },
    { programs: ["ip"], package: "iproute2", why: "makes the demo's namespaces" },
    { programs: ["ping"], package: "iputils-ping", why: "checks reachability" },
    { programs: ["cc", "gcc", "clang"], package: "gcc", why: "compiles the udp backend" },
    { header: "stdlib.h", package: "libc6-dev", why: "the udp backend is compiled with it" },
  ],
  // What bundles comes from npm.
  install: [],
  test: [
    { programs: ["strace"], package: "strace", why: "kills flan at every system call" },
    { programs: ["nft"], package: "nftables", why: "plays the administrator's firewall" },
    {
      programs: ["iptables-restore"],
      package: "iptables",
      why: "plays Docker's, and stands in for libnftables",
    },
    { programs: ["nginx"], package: "nginx-light", why: "asks for client certificates before a store" },
    { programs: ["zsh"], package: "zsh", why: "loads the completions" },
    { programs: ["fish"], package: "fish", why: "loads the completions" },
    { programs: ["man"], package: "man-db", why: "shows the manual page" },
    { programs: ["mandoc"], package: "mandoc", why: "checks the manual page" },
    { programs: ["script"], package: "bsdutils", why: "gives a shell a terminal" },
    { programs: ["setpriv"], package: "util-linux", why: "runs flan without root" },
    { programs: ["etcd"], package: "etcd-server", why: "is a store that flannel's hosts share" },
    { programs: ["etcdctl"], package: "etcd-client", why: "looks at that store, and damages it" },
    { programs: ["systemd-analyze"], package: "systemd", why: "judges the unit files" },
    { programs: ["promtool"], package: "prometheus", why: "judges the metrics" },
    {
      programs: ["host-local"],
      package: "containernetworking-plugins",
      why: "wires containers up by subnet.env",
    },
    { programs: ["wireguard-go"], package: "wireguard-go", why: "is the WireGuard of a kernel without it" },
    { programs: ["wg"], package: "wireguard-tools", why: "sets up a host that knows nothing of flan" },
    { programs: ["openssl"], package: "openssl", why: "makes certificates" },
    { programs: ["debootstrap"], package: "debootstrap", why: "makes a fresh Debian to install flan on" },
    { programs: ["dpkg-shlibdeps"], package: "dpkg-dev", why: "builds the Debian package" },
    {
      programs: ["aarch64-linux-gnu-gcc"],
      arch: "x86_64",
      package: "gcc-aarch64-linux-gnu",
      why: "compiles the udp backend for arm64",
    },
    {
      header: "../aarch64-linux-gnu/include/stdlib.h",
      arch: "x86_64",
      package: "libc6-dev-arm64-cross",
      why: "the same",
    },
    {
      programs: ["qemu-aarch64-static", "qemu-aarch64"],
      arch: "x86_64",
      package: "qemu-user-static",
      why: "runs it",
    },
    {
      programs: ["qemu-system-x86_64"],
      arch: "x86_64",
      package: "qemu-system-x86",
      why: "boots a stock kernel, which has what this one may lack",
    },
    {
      programs: ["busybox"],
      arch: "x86_64",
      package: "busybox-static",
      why: "is that machine's first process",
    },
    { programs: ["depmod"], arch: "x86_64", package: "kmod", why: "finds that kernel's modules" },
    { programs: ["xz"], arch: "x86_64", package: "xz-utils", why: "unpacks that kernel" },
  ],
  bench: [
    { programs: ["iperf3"], package: "iperf3", why: "measures throughput" },
    { programs: ["openvpn"], package: "openvpn", why: "is a data plane to compare with" },
    { programs: ["fastd"], package: "fastd", why: "is a data plane to compare with" },
  ],
};

function has({ programs, library, header }: Need): boolean {
  if (library !== undefined) return libraryFolders().some((folder) => exists(`${folder}/${library}`));
  if (header !== undefined) return exists(`/usr/include/${header}`);
  // A compiler that the user chose is looked for by the build itself.
  if (programs?.includes("cc") && (Deno.env.get("CC") ?? "") !== "") return true;
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin", "/usr/lib/cni");
  return (programs ?? []).some((program) => folders.some((folder) => exists(`${folder}/${program}`)));
}

function nameOf({ programs, library, header }: Need): string {
  return programs?.[0] ?? library ?? header ?? "";
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

/**
 * Lets Deno fetch esbuild, with which it bundles what is installed; resolves to whether it is there. It comes from npm
 * once, in the one version that this Deno knows: `deno.lock` has no say in it.
 */
async function fetchBundler(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "flan-setup-" });
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, "{}");
    await Deno.writeTextFile(`${folder}/empty.ts`, "export {};");
    const args = ["bundle", "--quiet", "--output", "empty.js", "empty.ts"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    if (success) return true;
    const [why = ""] = new TextDecoder().decode(stderr).trim().replace(/^error: /, "").split("\n");
    console.error(
      `setup: esbuild is missing (bundles what is installed) and cannot be had from npm: ${why}`,
    );
    return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(level: string): Promise<number> {
  const at = (order as readonly string[]).indexOf(level);
  if (at === -1) {
    console.error(`setup: "${level}" is not one of ${order.join(", ")}`);
    return 2;
  }
  const code = await installPackages(order.slice(0, at + 1).flatMap((name) => needs[name]));
  if (code !== 0 || at < order.indexOf("install")) return code;
  return await fetchBundler() ? 0 : 5;
}

async function installPackages(wanted: readonly Need[]): Promise<number> {
  const missing = wanted.filter((need) => (need.arch ?? Deno.build.arch) === Deno.build.arch && !has(need));
  if (missing.length === 0) return 0;
  for (const need of missing) {
    console.error(`setup: ${nameOf(need)} is missing (${need.why})`);
  }
  const packages = [...new Set(missing.map((need) => need.package))];
  if (await install(packages) && missing.every(has)) return 0;
  console.error(
    `setup: cannot install here, please run: apt-get update && apt-get install ${packages.join(" ")}`,
  );
  return 5;
}

Deno.exit(await main(Deno.args[0] ?? "run"));
