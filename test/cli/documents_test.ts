/** What scripts read does not change: every JSON and TSV document of one host's life, against golden files. */
import assert from "node:assert/strict";
import { assertGolden, assertGoldenJson, hidden } from "./golden.ts";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, type Said, Sandbox } from "./sandbox.ts";

const ignore = namespaceMissing !== undefined;
const reason = ignore ? ` (${namespaceMissing})` : "";

/** A host that knows who it is, and a network with four leases, one of them bad. */
function host(label: string) {
  const namespace = new Namespace(label);
  const sandbox = new Sandbox(namespace);
  Deno.copyFileSync(fixturePath("json/v1/network.json"), sandbox.store);
  sandbox.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
  const hide = { [sandbox.dir]: "<dir>" };
  const ok = async (args: readonly string[], code = 0): Promise<Said> => {
    const said = await sandbox.flan(args);
    assert.equal(said.code, code, said.stderr);
    return said;
  };
  return {
    namespace,
    sandbox,
    ok,
    json: async (name: string, args: readonly string[], code = 0) =>
      // How long a lease has left is told in words, too.
      assertGoldenJson(name, (await ok(args, code)).stdout.replaceAll(/\b\d+h\d\dm left/g, "<left>"), hide),
    text: async (path: string, args: readonly string[], code = 0) =>
      assertGolden(path, withoutTimes(hidden((await ok(args, code)).stdout, hide))),
    [Symbol.dispose]() {
      namespace[Symbol.dispose]();
      sandbox[Symbol.dispose]();
    },
  };
}

/** Own lease's end, and how long something lasts: the columns that follow move with it. */
function withoutTimes(text: string): string {
  return text.replaceAll(/\b\d+h\d\dm +/g, "<left> ").replaceAll(/\b17\d{8}\b|\b1[89]\d{8}\b/g, "<epoch>");
}

Deno.test({
  name: `documents before joining: dry run, leases, routes, drift, settings, status${reason}`,
  ignore,
  async fn() {
    using one = host("before");
    const before = one.sandbox.list();
    await one.json("up-dry-run", ["up", "--dry-run", "-o", "json"]);
    await one.text("text/up-dry-run-commands.txt", ["up", "--dry-run", "-o", "commands"]);
    await one.text("text/up-dry-run.txt", ["up", "--dry-run"]);
    await one.json("lease-list", ["lease", "list", "--json"]);
    await one.json("lease-list-lines", ["lease", "list", "-o", "jsonl"]);
    await one.text("tsv/v1/lease-list.tsv", ["lease", "list", "-o", "tsv", "--header"]);
    await one.text("text/lease-list.txt", ["lease"]);
    await one.json("lease-get-peer", ["lease", "get", "10.5.2.0/24", "--json"]);
    await one.json("status-none", ["status", "--json"], 3);
    await one.json("config-show", ["config", "show", "--json", "--mtu", "1400"]);
    await one.text("tsv/v1/config-show.tsv", ["config", "-o", "tsv", "--header", "--mtu", "1400"]);
    await one.json("config-get", ["config", "get"]);
    assert.equal((await one.ok(["config", "get", "backend.type"])).stdout, "vxlan\n");
    assert.deepEqual(one.sandbox.list(), before, "nothing was written");
  },
});

Deno.test({
  name: `documents of a host that has joined: own lease, routes, drift and its repair${reason}`,
  ignore,
  async fn() {
    using one = host("joined");
    await one.json("up-once", ["up", "--once", "--json"]);
    const joined = Deno.readTextFileSync(`${one.sandbox.dir}/run/joined.json`);
    assertGoldenJson("joined", joined, { [one.sandbox.dir]: "<dir>" });
    await one.json("lease-get", ["lease", "get", "--json"]);
    await one.text("text/lease-get-env.txt", ["lease", "get", "-o", "env"]);
    await one.json("routes", ["routes", "--json"]);
    await one.text("tsv/v1/routes.tsv", ["routes", "-o", "tsv", "--header"]);
    await one.text("text/routes.txt", ["routes"]);
    const wide = (await one.ok(["routes", "-o", "wide"])).stdout;
    assert.match(wide, /^SUBNET .* LEFT +EXPIRES +MAC +NODE/);
    assert.match(wide, /^10\.5\.2\.0\/24 .* 2100-01-01T00:00:00Z +c6:d2:32:6f:8f:02 /m);
    await one.text("text/routes.dot", ["routes", "-o", "dot"]);
    await one.text("text/routes.mermaid", ["routes", "-o", "mermaid"]);
    await one.text("text/routes.svg", ["routes", "-o", "svg"]);
    await one.text("text/routes-commands.txt", ["routes", "-o", "commands"]);
    await one.json("routes-explain", ["routes", "explain", "10.5.2.9", "--json"]);
    await one.text("text/routes-explain.txt", ["routes", "explain", "10.5.2.9"]);
    await one.json("routes-explain-refused", ["routes", "explain", "10.5.5.9", "--json"], 3);
    await one.json("routes-diff-clean", ["routes", "diff", "--json"]);
    const columns = (text: string) => text.trimEnd().split("\t");
    const renewed = columns((await one.ok(["lease", "renew", "10.5.1.0/24", "-o", "tsv"])).stdout);
    assert.deepEqual(
      renewed.toSpliced(6, 1),
      columns(
        "10.5.1.0/24\t10.5.0.0/16\t192.0.2.1\tvxlan\tflan.1\t1450\t11111111111111aa",
      ),
    );
    assert.match(renewed[6]!, /^\d{10}$/);
    const watch = one.sandbox.command(["routes", "watch", "-o", "jsonl"]).spawn();
    const lines = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const state = await untilLines(lines, 1);
    one.namespace.ip("route del 10.5.3.0/24");
    one.namespace.ip("route add 10.5.3.0/24 via 192.0.2.254");
    one.namespace.ip("route del 10.5.2.0/24");
    const events = state + await untilLines(lines, 3);
    // Who it was is told while it lives, and its number afterwards.
    assertGoldenJson(
      "routes-events",
      events.replaceAll(/"(ip\[\d+\]|process \d+ \(ended, name unknown\))"/g, '"<who>"'),
    );
    watch.kill("SIGINT");
    await lines.cancel();
    assert.equal((await watch.stderr.text()).trim(), "");
    assert.equal((await watch.status).code, 130);
    await one.json("routes-diff", ["routes", "diff", "--json"], 3);
    await one.text("text/routes-diff.txt", ["routes", "diff"], 3);
    await one.json("routes-explain-broken", ["routes", "explain", "10.5.2.9", "--json"], 3);
    await one.text("text/routes-explain-broken.txt", ["routes", "explain", "10.5.2.9"], 3);
    await one.text("text/routes-explain-foreign.txt", ["routes", "explain", "10.5.3.9"], 3);
    await one.json("routes-repair", ["routes", "repair", "--json"], 3);
    assert.equal((await one.ok(["routes", "repair", "10.5.2.0/24"])).stdout, "");
    one.namespace.ip("route add blackhole 10.5.2.128/25");
    const overridden = await one.ok(["routes", "repair", "10.5.2.0/24"], 3);
    assert.match(
      overridden.stdout,
      /^left +route 10\.5\.2\.0\/24 .* wins over it; .*: ip route delete blackhole 10\.5\.2\.128\/25 /,
    );
    assert.doesNotMatch(overridden.stderr, /as planned/);
    assert.equal((await one.ok(["routes", "repair", "10.5.4.0/24"])).stdout, "", "another peer's");
    one.namespace.ip("route del blackhole 10.5.2.128/25");
    const nobodys = await one.ok(["routes", "repair", "10.5.99.0/24"], 3);
    assert.match(nobodys.stderr, /^flan: Cannot repair 10\.5\.99\.0\/24: no peer of this host has it\n/);
    await one.text("text/down.txt", ["down"]);
    assert.equal((await one.ok(["down"])).stdout, "nothing to do\n");
  },
});

Deno.test({
  name: `documents beside an agent: status, a second up, events of leases${reason}`,
  ignore,
  async fn() {
    using one = host("agent");
    await one.ok(["up", "--detach", "--lease-ttl", "7d"]);
    await one.json("status", ["status", "--wait", "--json"]);
    await one.json("up-again", ["up", "--json"]);
    const stored = Deno.readTextFileSync(one.sandbox.store);
    const again = await one.ok(["lease", "acquire", "--lease-ttl", "60", "-o", "value=subnet"]);
    assert.equal(again.stdout, "10.5.1.0/24\n");
    const elsewhere = await one.ok(["lease", "acquire", "--subnet", "10.5.77.0/24"], 2);
    assert.match(
      elsewhere.stderr,
      /^flan: Cannot lease 10\.5\.77\.0\/24: this host's agent uses 10\.5\.1\.0\/24\n/,
    );
    const kept = await one.ok(["lease", "release", "10.5.1.0/24"], 2);
    assert.match(
      kept.stderr,
      /^flan: Cannot release 10\.5\.1\.0\/24: this host's agent uses it\nhint: run flan down/,
    );
    assert.equal(Deno.readTextFileSync(one.sandbox.store), stored, "beside an agent nothing was changed");
    const shorter = await one.ok(["lease", "renew", "--lease-ttl", "10"], 2);
    assert.match(
      shorter.stderr,
      /^flan: Cannot renew 10\.5\.1\.0\/24 for 10s: this host's agent keeps it for 168h\n/,
    );
    assert.equal(Deno.readTextFileSync(one.sandbox.store), stored);
    const { leases } = JSON.parse(stored);
    const renewed = await one.ok(["lease", "renew", "-o", "value=expires"]);
    const expires = Date.parse(renewed.stdout.trim()) / 1000;
    assert.ok(expires >= leases["10.5.1.0-24"].expires, `renewed until ${renewed.stdout}`);
    const watch = one.sandbox.command(["lease", "watch"]).spawn();
    const lines = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const events = await untilLines(lines, 4);
    await one.ok(["lease", "revoke", "10.5.3.0/24", "--yes"]);
    const all = events + await untilLines(lines, 1);
    assertGoldenJson("lease-events", all);
    watch.kill("SIGINT");
    await lines.cancel();
    assert.equal((await watch.stderr.text()).trim(), "");
    assert.equal((await watch.status).code, 130);
    const refused = await one.sandbox.flan(["up", "--mtu", "1300"]);
    assert.match(
      refused.stderr,
      /^flan: An agent is running already \(process \d+\) with mtu 1450, but 1300 is/,
    );
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    await one.ok(["down"]);
  },
});

async function untilLines(reader: ReadableStreamDefaultReader<string>, count: number): Promise<string> {
  let text = "";
  while (text.split("\n").length <= count) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended after ${JSON.stringify(text)}`);
    text += value;
  }
  return text;
}

Deno.test({
  name: `an agent in the background says on stderr that it started a network, and where${reason}`,
  ignore,
  async fn() {
    using namespace = new Namespace("start");
    using sandbox = new Sandbox(namespace);
    const up = await sandbox.flan(["up", "--detach", "--network", "10.9.0.0/16"]);
    assert.match(up.stderr, /^flan: Started network 10\.9\.0\.0\/16 with backend vxlan in file:\/\S+\n/);
    assert.ok(up.stderr.includes(sandbox.store), up.stderr);
    assert.equal(up.code, 0);
    assert.equal((await sandbox.flan(["down"])).code, 0);
  },
});

Deno.test({
  name: `a host without an agent acquires, reserves, releases and gets its reservation back${reason}`,
  ignore,
  async fn() {
    using one = host("lease");
    const subnet = async () => (await one.ok(["lease", "acquire", "-o", "value=subnet"])).stdout.trim();
    assert.equal(await subnet(), "10.5.1.0/24");
    assert.match(
      (await one.ok(["lease", "reserve", "10.5.1.0/24"])).stdout,
      /^made the lease 10\.5\.1\.0\/24 a reservation for node/,
    );
    const endless = await one.ok(["lease", "renew", "--lease-ttl", "60"]);
    assert.equal(
      endless.stderr,
      "flan: 10.5.1.0/24 is a reservation and has no end, so --lease-ttl changes nothing\n",
    );
    assert.equal((await one.ok(["lease", "renew"])).stderr, "");
    const released = await one.ok(["lease", "release"]);
    assert.equal(released.stdout, "released 10.5.1.0/24, which stays reserved for this host\n");
    assert.match((await one.ok(["lease", "get"], 3)).stderr, /^flan: This host has no lease in/);
    const reserved = await one.ok(["lease", "renew", "10.5.1.0/24"], 1);
    assert.match(reserved.stderr, /: it is a reservation that nobody has claimed\n$/);
    assert.equal(await subnet(), "10.5.1.0/24");
    await one.ok(["lease", "unreserve", "10.5.1.0/24"]);
    assert.equal((await one.ok(["lease", "release", "-o", "value=change"])).stdout, "released\n");
    await one.ok(["lease", "reserve", "10.5.9.0/24", "--for-ip", "192.0.2.1"]);
    assert.equal(await subnet(), "10.5.9.0/24");
    assert.equal((await one.ok(["lease", "get", "-o", "value=reservation"])).stdout, "true\n");
    const down = await one.ok(["down"]);
    assert.equal(down.stdout, "released lease 10.5.9.0/24, which stays reserved for 192.0.2.1\n");
    assert.equal(
      (await one.ok(["lease", "get", "10.5.9.0/24", "-o", "value=publicIp"])).stdout,
      "192.0.2.1\n",
    );
    assert.equal((await one.ok(["lease", "get", "10.5.9.0/24", "-o", "value=node"])).stdout, "-\n");
  },
});
