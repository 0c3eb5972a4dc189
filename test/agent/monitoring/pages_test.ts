/** `/readyz` follows the host's health, there and back; the metrics say what the agent knows, in a form that is right. */
import assert from "node:assert/strict";
import type { Agent } from "../../../agent/agent.ts";
import { obstacles } from "../../../agent/health/readiness.ts";
import { probePage } from "../../../agent/monitoring/pages.ts";
import type { MetricFacts } from "../../../agent/monitoring/metrics.ts";
import { type TestHost, TestNetwork } from "../../lib/agents.ts";
import { assertScrapable } from "../../lib/promtool.ts";

function page(path: string, agent: Agent | undefined, more: Partial<MetricFacts> = {}) {
  const facts = { now: agent?.store.heard ?? 0, version: "1.2.3", proxy: undefined, ...more };
  return probePage(path, { agent, facts: () => Promise.resolve(facts) });
}

const readyz = async ({ agent }: TestHost) => {
  const { status, text } = await page("/readyz", agent);
  return [status, text];
};

Deno.test("readyz: an agent that joins is not ready, but lives", async () => {
  assert.deepEqual(await page("/readyz", undefined), { status: 503, text: "joining\n" });
  assert.deepEqual(await page("/livez", undefined), { status: 200, text: "joining\n" });
  assert.equal((await page("/", undefined)).status, 404);
});

Deno.test("readyz: ready when joined, not while something is badly wrong, and ready again", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  assert.deepEqual(await readyz(host), [200, "ok\n"]);
  host.kernel.failNext("add", "EPERM", { times: 9, kind: "address" });
  host.kernel.stack.delete({ kind: "address", link: "flan.1", address: `${host.subnet!.split("/")[0]}/32` });
  await network.clock.turn();
  await network.clock.advance(2000);
  assert.deepEqual(await readyz(host), [503, "kernel-refuses\n"]);
  await network.clock.advance(600_000);
  assert.deepEqual(await readyz(host), [200, "ok\n"]);
});

Deno.test("readyz: without a subnet.env it is not ready; a warning is no obstacle", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  Deno.removeSync(host.options.subnetFile);
  Deno.mkdirSync(`${host.options.subnetFile}/full`, { recursive: true });
  await network.clock.advance(31_000);
  assert.deepEqual(await readyz(host), [503, "subnet-file\n"]);
  Deno.removeSync(host.options.subnetFile, { recursive: true });
  await network.peer(3, { backendData: { VNI: 1, VtepMAC: "ff:ff:ff:ff:ff:ff" } });
  await network.clock.advance(31_000);
  assert.deepEqual([host.codes, await readyz(host)], [["lease-refused"], [200, "ok\n"]]);
});

Deno.test("readiness: no lease, and each high code once", () => {
  const problem = (code: string, severity: "high" | "warning") => ({ code, severity });
  const problems = [
    problem("a", "high"),
    problem("a", "high"),
    problem("b", "warning"),
    problem("c", "high"),
  ];
  assert.deepEqual(obstacles({ lease: undefined, problems }), ["no-lease", "a", "c"]);
  assert.deepEqual(obstacles({ lease: {}, problems: [problem("b", "warning")] }), []);
});

/** The values of a metric by its labels as they stand. */
function values(text: string, name: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(lines.map((line) => {
    const [, labels = "", value] = /^\w+(\{.*\})? (\S+)$/.exec(line)!;
    return [labels, Number(value)];
  }));
}

/** Without those that nothing was counted of. */
function counted(all: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value > 0));
}

Deno.test("metrics: counters are there before anything was counted, for each label that is known", async () => {
  await using network = await TestNetwork.start();
  const { text } = await page("/metrics", (await network.joined(1)).agent);
  const repairs = values(text, "flan_repairs_total");
  assert.deepEqual(
    ['{kind="route",cause="kernel"}', '{kind="link",cause="unknown"}'].map((labels) => repairs[labels]),
    [0, 0],
  );
  assert.equal(values(text, "flan_leases_rejected_total")['{reason="overlap"}'], 0);
  assert.deepEqual(values(text, "flan_netlink_overruns_total"), { "": 0 });
});

Deno.test("metrics: an agent that joins tells its version, and nothing that it does not know", async () => {
  const { status, text, type } = await page("/metrics", undefined);
  assert.deepEqual([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  assert.match(
    text,
    /^# HELP flan_build_info .*\n# TYPE flan_build_info gauge\nflan_build_info\{version="1\.2\.3"\} 1\n$/,
  );
});

Deno.test("metrics: peers, problems, drift, repairs, refusals, the store and the lease, as promtool wants them", async () => {
  await using network = await TestNetwork.start();
  const good = await network.peer(2);
  const host = await network.joined(1);
  await network.peer(3, { backendData: { VNI: 1, VtepMAC: "ff:ff:ff:ff:ff:ff" } });
  host.kernel.stack.delete({ kind: "fdb", link: "flan.1", mac: "02:00:00:00:00:02", remote: "192.0.2.2" });
  host.kernel.stack.objects.delete(`route ${good.subnet} metric 0`);
  host.kernel.failNext("add", "EPERM", { times: 9, kind: "route" });
  await network.clock.advance(61_000);
  const now = network.clock.now();
  const { text } = await page("/metrics", host.agent, { now });
  await assertScrapable(text);
  const read = (name: string) => values(text, name);
  assert.deepEqual(read("flan_peers"), { "": 1 });
  assert.equal(read("flan_problems")['{code="lease-refused",severity="warning"}'], 1);
  assert.equal(read("flan_problems")['{code="lease-lost",severity="high"}'], 0);
  assert.equal(read("flan_problems")['{code="kernel-refuses",severity="high"}'], 1);
  assert.ok(!Object.keys(read("flan_problems")).some((labels) => labels.includes('"rp-filter-strict"')));
  assert.deepEqual(
    [read("flan_drift_objects")['{kind="route"}'], read("flan_drift_objects")['{kind="link"}']],
    [1, 0],
  );
  assert.deepEqual(counted(read("flan_leases_rejected_total")), { '{reason="bad-backend-data"}': 1 });
  assert.deepEqual(read("flan_store_up"), { "": 1 });
  assert.equal(read("flan_store_watch_age_seconds")[""], (now - host.agent.store.heard!) / 1000);
  assert.equal(read("flan_lease_expires_seconds")[""], (host.agent.state.own!.expires! - now) / 1000);
  assert.deepEqual(read("flan_netlink_overruns_total"), { "": 0 });
  const buckets = Object.values(read("flan_reconcile_seconds_bucket"));
  assert.equal(buckets.at(-1), read("flan_reconcile_seconds_count")[""]);
  assert.deepEqual(buckets, buckets.toSorted((a, b) => a - b));
  assert.ok(!text.includes("flan_proxy"));
});

Deno.test("metrics: what was put back is counted by kind, lost events too, and what others name is escaped", async () => {
  await using network = await TestNetwork.start();
  const good = await network.peer(2);
  const host = await network.joined(1);
  host.kernel.stack.delete(host.kernel.stack.objects.get(`route ${good.subnet} metric 0`)!);
  await network.clock.turn();
  await network.clock.advance(2000);
  host.agent.repairs.counts.add({ kind: "route", cause: 'a"b\\c\n' });
  host.agent.tally.overran();
  const { text } = await page("/metrics", host.agent, {
    proxy: { in_packets: 7, out_packets: 8, out_bytes: 9, in_drop_no_route: 3, future_thing: 1 },
  });
  await assertScrapable(text);
  assert.deepEqual(counted(values(text, "flan_repairs_total")), {
    '{kind="route",cause="kernel"}': 1,
    '{kind="route",cause="a\\"b\\\\c\\\\u000a"}': 1,
  });
  assert.deepEqual(values(text, "flan_netlink_overruns_total"), { "": 1 });
  assert.deepEqual(values(text, "flan_proxy_packets_total"), { '{dir="in"}': 7, '{dir="out"}': 8 });
  assert.deepEqual(values(text, "flan_proxy_dropped_total"), { '{dir="in",reason="no_route"}': 3 });
});

Deno.test("metrics: a store that is away, and a lease that is lost, count as 0", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  host.store.away = true;
  await network.clock.advance(2 * 3600_000);
  const { text } = await page("/metrics", host.agent, { now: network.clock.now() });
  await assertScrapable(text);
  assert.deepEqual(values(text, "flan_store_up"), { "": 0 });
  assert.deepEqual(values(text, "flan_lease_expires_seconds"), { "": 0 });
  assert.deepEqual(await readyz(host), [503, "lease-expired\n"]);
});
