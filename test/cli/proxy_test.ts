/** `flan proxy` as a user runs it: on a host without one, and beside a real one. */
import assert from "node:assert/strict";
import { version } from "../../cmd/version.ts";
import { assertGolden, assertGoldenJson } from "./golden.ts";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

const built = exists(new URL(`../../ffi/proxy/build/${Deno.build.arch}/libflan_proxy.so`, import.meta.url));
const missing = namespaceMissing ??
  (built && exists("/dev/net/tun") ? undefined : "needs deno task build and /dev/net/tun");
const ignore = missing !== undefined;
const reason = ignore ? ` (${missing})` : "";

function exists(path: string | URL): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}

for (const args of [["routes"], ["routes", "--json"], ["stats"], ["stats", "--watch"]]) {
  Deno.test(`flan proxy ${args.join(" ")} answers no where none runs, with what starts one`, async () => {
    using sandbox = new Sandbox();
    const { code, stdout, stderr } = await sandbox.flan(["proxy", ...args]);
    assert.deepEqual([code, stdout], [3, ""]);
    assert.equal(
      stderr,
      `flan: No UDP proxy runs in ${sandbox.dir}/run\nhint: flan up starts one where the network's backend is udp\n`,
    );
    assert.ok(!sandbox.list().includes(`${sandbox.dir}/run`), "nothing was written");
  });
}

Deno.test("flan proxy stop says that none runs, which is what was wanted", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["proxy", "stop"]);
  assert.deepEqual([code, stdout, stderr], [0, "proxy   not running\n", ""]);
});

Deno.test("flan proxy stats --watch prints no document that never ends", async () => {
  using sandbox = new Sandbox();
  const { code, stderr } = await sandbox.flan(["proxy", "stats", "--watch", "--json"]);
  assert.deepEqual(
    [code, stderr],
    [2, 'flan: Cannot print format "json" with --watch: table or jsonl is needed\nhint: -o jsonl\n'],
  );
});

/** A host that joined a network of backend udp with two other hosts in it. */
function host(label: string) {
  const namespace = new Namespace(label);
  const sandbox = new Sandbox(namespace);
  sandbox.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
  return {
    namespace,
    sandbox,
    /** Runs flan, which must end with `code`. */
    async flan(args: readonly string[], code = 0) {
      const said = await sandbox.flan(args);
      assert.equal(said.code, code, said.stderr);
      return said;
    },
    [Symbol.dispose]() {
      namespace[Symbol.dispose]();
      sandbox[Symbol.dispose]();
    },
  };
}

async function joined(one: ReturnType<typeof host>): Promise<void> {
  const network = JSON.parse(Deno.readTextFileSync(fixturePath("json/v1/network.json")));
  network.config.value.Backend = { Type: "udp" };
  const lease = (n: number) => ({
    revision: n,
    expires: 4102444800,
    value: { PublicIP: `192.0.2.${n}`, PublicIPv6: null },
  });
  network.leases = { "10.5.20.0-24": lease(7), "10.5.3.0-24": lease(3) };
  Deno.writeTextFileSync(one.sandbox.store, JSON.stringify(network));
  await one.flan(["up", "--once"]);
}

Deno.test({
  name: `documents of a proxy: its routes in order, its counters, in every format${reason}`,
  ignore,
  async fn() {
    using one = host("proxy");
    await joined(one);
    const routes = (await one.flan(["proxy", "routes", "--json"])).stdout;
    assertGoldenJson("proxy-routes", routes, { [version]: "<version>" });
    assertGoldenJson("proxy-routes-lines", (await one.flan(["proxy", "-o", "jsonl"])).stdout);
    assertGolden(
      "tsv/v1/proxy-routes.tsv",
      (await one.flan(["proxy", "routes", "-o", "tsv", "--header"])).stdout,
    );
    assertGolden("text/proxy-routes.txt", (await one.flan(["proxy"])).stdout);
    assertGolden("text/proxy-stats.txt", (await one.flan(["proxy", "stats"])).stdout);
    const stats = JSON.parse((await one.flan(["proxy", "stats", "--json"])).stdout);
    // What the kernel lacks is not in use.
    stats.features = ["<features>"];
    assertGoldenJson("proxy-stats", JSON.stringify(stats));
  },
});

Deno.test({
  name: `a proxy outlives the up that started it, is adopted by the next, and down ends it${reason}`,
  ignore,
  async fn() {
    using one = host("adopt");
    await joined(one);
    const pid = async () => JSON.parse((await one.flan(["proxy", "--json"])).stdout).pid;
    const first = await pid();
    await one.flan(["up", "--detach"]);
    assert.equal(await pid(), first);
    const second = await one.flan(["proxy", "run"], 1);
    assert.equal(
      second.stderr,
      `flan: A UDP proxy runs in ${one.sandbox.dir}/run already (process ${first})\nhint: flan proxy stop ends it\n`,
    );
    const stopped = await one.flan(["proxy", "stop"]);
    assert.equal(stopped.stdout, `stopped the UDP proxy (process ${first})\n`);
    assert.equal(stopped.stderr, "hint: the agent starts it again; flan down ends both\n");
    await one.flan(["status", "--wait"]);
    assert.match((await one.flan(["down"])).stdout, /^removed link flan0$/m);
    assert.match((await one.flan(["proxy"], 3)).stderr, /^flan: No UDP proxy runs/);
  },
});

Deno.test({
  name:
    `flan proxy run is said to carry nothing, ends at SIGTERM and leaves only its lock, and stats --watch ends with it${reason}`,
  ignore,
  async fn() {
    using one = host("run");
    const proxy = one.sandbox.command(["proxy", "run"]).spawn();
    const log = proxy.stderr.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await log.read()).value!, /waits for what it is to carry/);
    const watch = one.sandbox.command(["proxy", "stats", "--watch", "-o", "jsonl"]).spawn();
    const lines = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { rates } = JSON.parse((await lines.read()).value!);
    assert.equal(rates.out_packets, 0);
    const vain = "carries nothing: it waits for flan up";
    for (const command of ["routes", "stats"]) {
      assert.equal((await one.flan(["proxy", command], 3)).stdout.split("\n")[0], vain);
      assert.equal((await one.flan(["proxy", command, "-o", "jsonl"], 3)).stderr, `flan: ${vain}\n`);
      const { carrying, failure } = JSON.parse((await one.flan(["proxy", command, "--json"], 3)).stdout);
      assert.deepEqual([carrying, failure], [false, null]);
    }
    proxy.kill("SIGTERM");
    assert.equal((await proxy.status).code, 143);
    await log.cancel();
    await proxy.stdout.cancel();
    assert.match(await watch.stderr.text(), /^flan: No UDP proxy runs/);
    await lines.cancel();
    assert.equal((await watch.status).code, 3);
    const left = [...Deno.readDirSync(`${one.sandbox.dir}/run`)].map(({ name }) => name);
    assert.deepEqual(left, ["proxy.lock"]);
  },
});
