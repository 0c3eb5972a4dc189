/** `flan doctor` as users run it: what it says of a host, in each of its forms, with its exit codes. */
import assert from "node:assert/strict";
import { assertGolden, assertGoldenJson, hidden } from "./golden.ts";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

const ignore = namespaceMissing !== undefined;
const reason = ignore ? ` (${namespaceMissing})` : "";

/** Sysctls that a namespace takes over from its machine. */
const settled = ["all", "default", "eth0"].map((name) => `net/ipv4/conf/${name}/rp_filter=0`);

Deno.test({
  name: `doctor: a host before it joins, while it is in the network, and with what goes wrong there${reason}`,
  ignore,
  async fn() {
    using namespace = new Namespace("doctor");
    using sandbox = new Sandbox(namespace);
    const sysctl = new Deno.Command("ip", {
      args: ["netns", "exec", namespace.name, "sysctl", "-qw", ...settled],
    });
    assert.ok((await sysctl.output()).success);
    const before = sandbox.list();
    const fresh = await sandbox.flan(["doctor"]);
    assert.deepEqual([fresh.code, fresh.stderr], [0, ""]);
    const [fine, ...strange] = fresh.stdout.trimEnd().split("\n");
    assert.match(fine!, /^ok {2}kernel and libraries, underlay, port, .*, state directory$/);
    assert.deepEqual(
      strange,
      [
        ...["agent", "subnet.env", "plan"].map((name) => `?   ${name}: this host has joined no network`),
        "traffic encrypted: no",
      ],
    );
    assert.deepEqual(sandbox.list(), before, "nothing was written");
    assert.equal((await sandbox.flan(["doctor", "--quiet"])).stdout, "");

    Deno.copyFileSync(fixturePath("json/v1/network.json"), sandbox.store);
    sandbox.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
    const up = await sandbox.flan(["up", "--once"]);
    assert.equal(up.code, 0, up.stderr);
    const well = await sandbox.flan(["doctor", "-o", "json"]);
    const told: readonly { code: string }[] = JSON.parse(well.stdout).items;
    assert.ok(!told.some(({ code }) => code === "agent-down"), "none was to stay after up --once");
    // As an agent leaves it that was killed.
    const joined = JSON.parse(Deno.readTextFileSync(`${sandbox.dir}/run/joined.json`));
    sandbox.write("run/joined.json", JSON.stringify({ ...joined, once: false }));
    namespace.ip("link add docker0 type bridge");
    namespace.ip("address add 10.5.77.1/24 dev docker0");
    namespace.ip("route del 10.5.2.0/24");
    Deno.removeSync(`${sandbox.dir}/run/subnet.env`);
    const hide = { [sandbox.dir]: "<dir>" };
    const said = async (form: readonly string[]) => {
      const { code, stdout, stderr } = await sandbox.flan(["doctor", ...form]);
      assert.deepEqual([code, stderr], [3, ""], stdout);
      return hidden(stdout, hide);
    };
    assertGoldenJson("doctor", await said(["-o", "json"]), hide);
    assertGolden("text/doctor.txt", await said([]));
    assertGolden("tsv/v1/doctor.tsv", await said(["-o", "tsv", "--header"]));
    assert.equal((await sandbox.flan(["down"])).code, 0);
  },
});

Deno.test({
  name: `up refuses a network that overlaps the host's routes, unless it is told to join it${reason}`,
  ignore,
  async fn() {
    using namespace = new Namespace("overlap");
    using sandbox = new Sandbox(namespace);
    namespace.ip("route add 10.9.7.0/24 via 192.0.2.7");
    for (const how of ["--once", "--dry-run"]) {
      const { code, stderr } = await sandbox.flan(["up", how, "--network", "10.9.0.0/16"]);
      assert.equal(code, 2, stderr);
      const why =
        /^flan: Cannot join network 10\.9\.0\.0\/16: it overlaps this host's route 10\.9\.7\.0\/24 via /;
      assert.match(stderr, why);
      assert.match(stderr, /--allow-overlap/);
    }
    const dry = await sandbox.flan(["up", "--dry-run", "--network", "10.9.0.0/16", "--allow-overlap"]);
    assert.equal(dry.code, 0, dry.stderr);
    const joined = await sandbox.flan(["up", "--once", "--network", "10.9.0.0/16", "--allow-overlap"]);
    assert.equal(joined.code, 0, joined.stderr);
    assert.match((await sandbox.flan(["doctor"])).stdout, /^! network-overlap {2}Network 10\.9\.0\.0\/16/m);
    const again = await sandbox.flan(["up", "--once"]);
    assert.equal(again.code, 0, `a host that is in it goes on: ${again.stderr}`);
    assert.doesNotMatch(again.stderr, /Joined before/);
    const other = await sandbox.flan(["up", "--once", "--mtu", "1300"]);
    assert.match(other.stderr, /Joined before without mtu, starting with mtu 1300/);
    assert.equal((await sandbox.flan(["down"])).code, 0);
  },
});
