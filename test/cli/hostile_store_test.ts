/** Leases that other hosts wrote: every good one is shown, every bad one is refused by name, nothing harms a terminal. */
import assert from "node:assert/strict";
import { isPrintable } from "../../net/text.ts";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixture, Sandbox } from "./sandbox.ts";

interface Hostile {
  readonly name: string;
  readonly key: string;
  readonly code: string;
  readonly value: unknown;
}

const vxlan = (ip: string, mac: string) => ({
  PublicIP: ip,
  PublicIPv6: null,
  BackendType: "vxlan",
  BackendData: { VNI: 1, VtepMAC: mac },
});

const good = { "10.5.200.0-24": "192.0.2.200", "10.5.201.0-24": "192.0.2.201" };

/** What a lease may say that its own record does not show to be wrong. */
const more: Hostile[] = [
  { name: "multicast MAC", key: "10.5.100.0-24", code: "", value: vxlan("192.0.2.100", "01:00:5e:00:00:01") },
  { name: "MAC with an escape", key: "10.5.101.0-24", code: "", value: vxlan("192.0.2.101", "\u001b[2J") },
  { name: "1 MB of text", key: "10.5.102.0-24", code: "", value: vxlan("192.0.2.102", "a".repeat(1 << 20)) },
  {
    name: "overlap",
    key: "10.5.200.128-25",
    code: "overlap",
    value: vxlan("192.0.2.103", "02:00:00:00:00:03"),
  },
];

/** A store with the good leases and one bad one for each subnet that the fixtures know. */
function storeText(bad: readonly Hostile[]): string {
  const leases = [
    ...Object.entries(good).map((
      [key, ip],
      i,
    ) => [key, { revision: 2, value: vxlan(ip, `02:00:00:00:01:0${i}`) }]),
    ...bad.map(({ key, value }) => [key, { revision: 3, expires: 4102444800, value }]),
  ] as [string, unknown][];
  // Written by hand: an object literal would swallow the key __proto__.
  const lines = leases.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{"schema":"flan.network/v1","revision":9,"config":{"revision":1,"value":{"Network":"10.5.0.0/16",` +
    `"Backend":{"Type":"vxlan"}}},"leases":{${lines.join(",")}},"past":{}}`;
}

const hostile = fixture<Hostile[]>("leases/hostile.json");
/** The fixtures share the key 10.5.7.0-24; here each gets a subnet of its own. */
const apart = hostile.map((one, i) =>
  one.key === "10.5.7.0-24" ? { ...one, key: `10.5.${10 + i}.0-24` } : one
)
  // A host that asks has another address here, and so does not know this one as its own.
  .filter((one) => one.name !== "endpoint is this host");

function assertHarmless(text: string): void {
  for (const line of text.split("\n")) {
    for (const cell of line.split("\t")) assert.ok(isPrintable(cell), JSON.stringify(cell.slice(0, 200)));
    assert.ok(line.length < 1000, `${line.length} characters in a line`);
  }
}

Deno.test("lease list shows every good lease and refuses each bad one alone, in words a terminal can bear", async () => {
  using sandbox = new Sandbox();
  const bad = [...apart, more[3]!];
  sandbox.write("network.json", storeText(bad));
  const { code, stdout, stderr } = await sandbox.flan(["lease", "list", "--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const items = JSON.parse(stdout).items as {
    subnet: string;
    refused: { code: string; reason: string } | null;
  }[];
  const shown = items.filter((item) => item.refused === null).map((item) => item.subnet);
  assert.deepEqual(shown, Object.keys(good).map((key) => key.replace("-", "/")));
  const refused = items.filter((item) => item.refused !== null);
  assert.deepEqual(refused.map((item) => item.refused!.code).sort(), bad.map((one) => one.code).sort());
  for (const { refused: why } of refused) assert.ok(why!.reason.length > 5);
  assertHarmless(stdout);
  for (const format of ["table", "wide", "tsv"]) {
    const text = await sandbox.flan(["lease", "list", "-o", format]);
    assert.equal(text.code, 0);
    assert.equal(text.stdout.trimEnd().split("\n").length, items.length + (format === "tsv" ? 0 : 1));
    assertHarmless(text.stdout);
  }
});

Deno.test({
  name: `routes reaches every good lease's peer and refuses the others${
    namespaceMissing ? ` (${namespaceMissing})` : ""
  }`,
  ignore: namespaceMissing !== undefined,
  async fn() {
    using namespace = new Namespace("hostile");
    using sandbox = new Sandbox(namespace);
    const bad = [...apart, ...more];
    sandbox.write("network.json", storeText(bad));
    const up = await sandbox.flan(["up", "--once", "-o", "value=subnet"]);
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /^10\.5\.\d+\.0\/24\n$/);
    assertHarmless(up.stderr);
    const { stdout, code } = await sandbox.flan(["routes", "-o", "tsv"]);
    assert.equal(code, 0);
    assertHarmless(stdout);
    const rows = stdout.trimEnd().split("\n").map((line) => line.split("\t"));
    const ok = rows.filter((row) => row[4] === "ok").map((row) => row[0]!);
    assert.deepEqual(ok, Object.keys(good).map((key) => key.replace("-", "/")));
    const refused = rows.filter((row) => row[4] === "refused");
    assert.equal(refused.length, bad.length);
    for (const row of refused) assert.match(row.at(-1)!, /^[a-z-]+: .{5,}/);
    const kernel = namespace.ip("route show proto 113");
    assert.deepEqual(kernel.match(/^\S+/gm), ok);
    assert.equal((await sandbox.flan(["routes", "diff"])).code, 0);
    assert.equal((await sandbox.flan(["down"])).code, 0);
  },
});
