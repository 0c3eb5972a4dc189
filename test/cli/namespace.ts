/** A host for the tests of commands that look at the kernel: a network namespace with an `eth0`. */

/** Why there is none here, or undefined. */
export const namespaceMissing = Deno.uid() === 0 && works(["ip", "-V"])
  ? undefined
  : "needs root and iproute2";

/** `192.0.2.1/24` (RFC 5737) on `eth0`, and a default route. Away again when disposed, with what runs in it. */
export class Namespace implements Disposable {
  readonly name: string;
  /** What runs a command in it. */
  readonly within: readonly string[];

  constructor(label: string) {
    this.name = `flan-cli-${label}-${Deno.pid}`;
    this.within = ["ip", "netns", "exec", this.name];
    run(["ip", "netns", "add", this.name]);
    // Both ends stand here: nothing outside the namespace is touched.
    this.ip("link add eth0 mtu 1500 type veth peer name far0");
    for (const link of ["lo", "eth0", "far0"]) this.ip(`link set ${link} up`);
    this.ip("address add 192.0.2.1/24 dev eth0");
    this.ip("route add default via 192.0.2.254 dev eth0");
  }

  ip(words: string): string {
    return run(["ip", "-netns", this.name, ...words.split(" ")]);
  }

  [Symbol.dispose](): void {
    const pids = run(["ip", "netns", "pids", this.name]).split("\n").filter(Boolean).map(Number);
    for (const pid of pids) Deno.kill(pid, "SIGKILL");
    run(["ip", "netns", "delete", this.name]);
  }
}

function run([program, ...args]: readonly [string, ...string[]]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

function works([program, ...args]: readonly [string, ...string[]]): boolean {
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
