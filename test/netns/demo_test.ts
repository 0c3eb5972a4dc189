/** `flan demo` leaves nothing behind, neither at its end nor on Ctrl-C, whenever that comes. */
import assert from "node:assert/strict";
import { must } from "../../cmd/demo/shell.ts";
import { flanCommand } from "../../cmd/self.ts";
import { Installed } from "../lib/installed.ts";
import { LineLog } from "../lib/line_log.ts";

/** A demo of two hosts, with a directory of its own for all that it writes. */
class Demo {
  readonly directory = Deno.makeTempDirSync({ prefix: "flan-demo-test-" });
  readonly child: Deno.ChildProcess;
  readonly out: LineLog;
  readonly err: LineLog;

  constructor(
    backend: string,
    { installed, more = [] }: { installed?: Installed; more?: readonly string[] } = {},
  ) {
    const words = ["demo", "--hosts", "2", "--backend", backend, ...more];
    const [program, ...args] = installed === undefined ? flanCommand(words) : [installed.flan, ...words];
    this.child = new Deno.Command(program, {
      args,
      env: { ...installed?.env, TMPDIR: this.directory },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.out = new LineLog("stdout", this.child.stdout);
    this.err = new LineLog("stderr", this.child.stderr);
  }

  /** Insists that it ends with this code and that no namespace, no process and no file of its is left. */
  async endsWith(code: number): Promise<void> {
    const status = await this.child.status;
    await Promise.all([this.out.closed, this.err.closed]);
    assert.equal(status.code, code, this.err.lines.join("\n"));
    await this.isGone();
  }

  async isGone(): Promise<void> {
    assert.doesNotMatch(await must(["ip", "netns", "list"]), new RegExp(`flan-demo-${this.child.pid}-`));
    assert.deepEqual(processesNaming(this.directory), []);
    assert.deepEqual([...Deno.readDirSync(this.directory)], []);
    Deno.removeSync(this.directory);
  }
}

/** Command lines of the processes that were given something in the directory: the hosts' agents and proxies are. */
function processesNaming(directory: string): string[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).flatMap(({ name }) => {
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
      return command.includes(`${directory}/`) ? [command] : [];
    } catch (error) {
      // It has ended meanwhile.
      if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") return [];
      throw error;
    }
  });
}

const ignore = Deno.uid() !== 0;

const moments: readonly [backend: string, moment: string, of: "out" | "err", line: RegExp][] = [
  ["vxlan", "while the hosts are made", "err", /making 2 hosts/],
  ["vxlan", "while they join", "err", /flan up .* on every host/],
  ["udp", "while they join", "err", /flan up .* on every host/],
  ["udp", "while their proxies carry packets", "out", /^\$ flan routes/],
];

for (const [backend, moment, of, line] of moments) {
  Deno.test({
    name: `a demo of ${backend} that is interrupted ${moment} ends with 130 and takes everything away`,
    ignore,
    fn: async () => {
      const demo = new Demo(backend);
      await demo[of].line(line);
      demo.child.kill("SIGINT");
      await demo.endsWith(130);
    },
  });
}

Deno.test({
  name: "a demo of udp, by an installed flan, reaches every host, shows how, and leaves no proxy",
  ignore,
  fn: async () => {
    using installed = await Installed.create();
    const demo = new Demo("udp", { installed });
    await demo.out.line(/^\$ flan routes/);
    await demo.out.line(/ 192\.0\.2\.2 +flan0 +udp +ok /);
    const proxies = processesNaming(demo.directory).filter((line) => line.includes(" proxy run "));
    assert.equal(proxies.length, 2);
    for (const line of proxies) assert.match(line, /\/lib\/flan\/bundle\/main\.js proxy run /);
    await demo.out.line(/Gbit\/s through the overlay/);
    await demo.endsWith(0);
    const shown = demo.out.lines.join("\n");
    assert.doesNotMatch(shown, /LOST|NO-TCP/);
    assert.match(shown, /^10\.244\.1\.0\/24 +- +\d+(\.\d+)?$/m);
    assert.match(shown, /^ok {2}.*\bMTU\b.*\bforwarding\b/m, "its own hosts are well");
  },
});

Deno.test({
  name: `a demo of host-gw reaches all, and one of alloc or of no backend is refused${
    ignore ? " (needs root)" : ""
  }`,
  ignore,
  async fn() {
    const [shown, refused, unknown] = ["host-gw", "alloc", "foo"].map((backend) => new Demo(backend)) as [
      Demo,
      Demo,
      Demo,
    ];
    await Promise.all([shown.endsWith(0), refused.endsWith(2), unknown.endsWith(2)]);
    assert.match(shown.out.lines.join("\n"), / eth0 +host-gw +ok /);
    assert.match(refused.err.lines[0]!, /^flan: Cannot show backend alloc/);
    assert.match(
      unknown.err.lines[0]!,
      /^flan: Cannot use backend "foo": it is not known; this version has /,
    );
  },
});

Deno.test({
  name: "a demo of ipip works, or is refused with 5 before a host is made where the kernel has none",
  ignore,
  async fn() {
    const demo = new Demo("ipip");
    const { code } = await demo.child.status;
    await demo.endsWith(code === 0 ? 0 : 5);
    if (code === 0) return;
    assert.match(demo.err.lines[0]!, /^flan: Cannot use ipip links: .*\(EOPNOTSUPP\)$/);
    assert.deepEqual(demo.err.lines.slice(1), ["hint: modprobe ipip"]);
  },
});

Deno.test({
  name:
    "a demo that is kept says what takes it away, and that leaves nothing while agents and proxies still run",
  ignore,
  async fn() {
    const demo = new Demo("udp", { more: ["--keep"] });
    assert.equal((await demo.child.status).code, 0);
    await demo.out.closed;
    const told = demo.out.lines.findIndex((line) => line === "Take everything away:");
    assert.ok(processesNaming(demo.directory).length >= 4);
    assert.equal(await must(["sh", "-c", demo.out.lines[told + 1]!]), "");
    await demo.isGone();
  },
});
