/** The lease commands that need no kernel, as a person and as a script use them, against golden files. */
import assert from "node:assert/strict";
import { assertGolden, assertGoldenJson, hidden } from "./golden.ts";
import { fixture, fixturePath, type Said, Sandbox } from "./sandbox.ts";

const node = fixture<{ node: string }>("json/v1/host.json").node;

/** A host that knows who it is, and a network with four leases, one of them bad. */
class Host extends Sandbox {
  constructor() {
    super();
    Deno.copyFileSync(fixturePath("json/v1/network.json"), this.store);
    this.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
  }

  async ok(args: readonly string[], code = 0): Promise<Said> {
    const said = await this.flan(args);
    assert.equal(said.code, code, said.stderr);
    return said;
  }

  async json(name: string, args: readonly string[], code = 0): Promise<void> {
    assertGoldenJson(name, (await this.ok([...args, "--json"], code)).stdout, { [this.dir]: "<dir>" });
  }

  async text(path: string, args: readonly string[], code = 0): Promise<void> {
    const text = hidden((await this.ok(args, code)).stdout, { [this.dir]: "<dir>" });
    assertGolden(path, text.replaceAll(/\b\d+h\d\dm +/g, "<left> "));
  }

  leases(): Record<string, { value: unknown; node?: string; expires?: number }> {
    return JSON.parse(Deno.readTextFileSync(this.store)).leases;
  }
}

Deno.test("reservations: made, repeated, listed, ended, in every format", async () => {
  using host = new Host();
  await host.json("lease-reserve", ["lease", "reserve", "10.5.9.0/24", "--for", node]);
  const again = await host.ok(["lease", "reserve", "10.5.9.0/24", "--for", node]);
  assert.equal(again.stdout, `10.5.9.0/24 is reserved already for node ${node}\n`);
  const change = await host.ok([
    "lease",
    "reserve",
    "10.5.10.0/24",
    "--for-ip",
    "192.0.2.77",
    "-o",
    "value=change",
  ]);
  assert.deepEqual([change.stdout, change.stderr], ["reserved\n", ""]);
  await host.ok(["lease", "reserve", "10.5.11.0/24"]);
  await host.text("text/lease-list-reserved.txt", ["lease"]);
  await host.text("tsv/v1/lease-list-reserved.tsv", ["lease", "list", "-o", "tsv"]);
  await host.json("lease-list-reserved", ["lease", "list"]);
  await host.json("lease-get-reserved", ["lease", "get", "10.5.10.0/24"]);
  await host.json("lease-unreserve-claimed", ["lease", "unreserve", "10.5.4.0/24"]);
  await host.json("lease-unreserve", ["lease", "unreserve", "10.5.11.0/24"]);
  assert.equal(
    (await host.ok(["lease", "unreserve", "10.5.11.0/24"])).stdout,
    "nothing is reserved at 10.5.11.0/24\n",
  );
  const { stdout } = await host.ok(["lease", "unreserve", "10.5.2.0/24"]);
  assert.equal(stdout, "10.5.2.0/24 is a lease and no reservation\n");
});

Deno.test("a reservation for a name that nobody has, or for a host that runs, is made with a word about it", async () => {
  using host = new Host();
  const unknown = await host.ok(["lease", "reserve", "10.5.9.0/24", "--for", "web-1"]);
  assert.match(
    unknown.stderr,
    /^flan: No lease of node web-1 is known here: is that the name in its host\.json\?\n$/,
  );
  const running = await host.ok(["lease", "reserve", "10.5.10.0/24", "--for", "22222222222222bb"]);
  assert.match(
    running.stderr,
    /^flan: It holds 10\.5\.2\.0\/24 now, and takes the reservation when it acquires/,
  );
  const inside = await host.ok(["lease", "reserve", "10.5.12.0/24", "--for-ip", "10.5.2.1"], 2);
  assert.match(
    inside.stderr,
    /^flan: Cannot use --for-ip 10\.5\.2\.1: it is inside the network 10\.5\.0\.0\/16 itself/,
  );
});

Deno.test("another's running lease is kept for its holder, and taken from it with --yes only", async () => {
  using host = new Host();
  const before = host.leases()["10.5.2.0-24"]!;
  const kept = await host.ok(["lease", "reserve", "10.5.2.0/24", "--for", "22222222222222bb"]);
  assert.equal(
    kept.stdout,
    "made the lease 10.5.2.0/24 a reservation for node 22222222222222bb at 192.0.2.2\n",
  );
  const { revision: _, expires: __, ...same } = { revision: 0, ...before };
  const { revision: ___, ...now } = { revision: 0, ...host.leases()["10.5.2.0-24"]! };
  assert.deepEqual(now, same);
  await host.ok(["lease", "unreserve", "10.5.2.0/24"]);
  await host.ok(["lease", "revoke", "10.5.2.0/24"], 2);
  await host.json("lease-revoke", ["lease", "revoke", "10.5.2.0/24", "--yes"]);
  assert.equal(host.leases()["10.5.2.0-24"], undefined);
  const past = JSON.parse(Deno.readTextFileSync(host.store)).past;
  assert.equal(past["10.5.2.0-24"].how, "released");
});

Deno.test("a reservation that is revoked or released waits for whom it was made, and only unreserve ends it", async () => {
  using host = new Host();
  const claimed = host.leases()["10.5.4.0-24"]!;
  const revoked = await host.ok(["lease", "revoke", "10.5.4.0/24", "--yes"]);
  assert.equal(
    revoked.stdout,
    "revoked the reservation 10.5.4.0/24 of 192.0.2.4 (node 44444444444444dd), " +
      "which stays reserved for node 44444444444444dd\n",
  );
  const { node, value, expires } = host.leases()["10.5.4.0-24"]!;
  assert.deepEqual([node, value, expires], [
    claimed.node,
    { PublicIP: "0.0.0.0", PublicIPv6: null },
    undefined,
  ]);
  const again = await host.ok(["lease", "revoke", "10.5.4.0/24", "--yes"], 1);
  assert.match(
    again.stderr,
    /nobody has claimed the reservation .*\nhint: flan lease unreserve 10\.5\.4\.0\/24/,
  );
  await host.ok(["lease", "unreserve", "10.5.4.0/24"]);
  assert.match((await host.ok(["lease", "revoke", "10.5.4.0/24"], 3)).stderr, /nobody has that lease/);
});

Deno.test("a field that there is not is refused before anything is changed", async () => {
  using host = new Host();
  const before = Deno.readTextFileSync(host.store);
  const changes = [
    ["reserve", "10.5.9.0/24"],
    ["unreserve", "10.5.4.0/24"],
    ["revoke", "10.5.2.0/24", "--yes"],
    ["release"],
  ];
  for (const change of changes) {
    const { stderr } = await host.ok(["lease", ...change, "-o", "value=nope"], 2);
    assert.match(stderr, /^flan: Cannot print field "nope": the fields are subnet, change, lease\n/);
  }
  assert.equal(Deno.readTextFileSync(host.store), before);
});

Deno.test("lease check says what the backend refuses, though the lease is valid", async () => {
  using host = new Host();
  Deno.writeTextFileSync(host.store, Deno.readTextFileSync(host.store).replace("c6:d2:32:6f:8f:02", "zz"));
  const { stdout } = await host.ok(["lease", "check", "-o", "tsv"], 3);
  assert.match(stdout, /^10\.5\.2\.0\/24\tbad-backend-data\thigh\tNo host can reach .*VtepMAC "zz"/m);
});

Deno.test("a lease of another backend is noted in the list, and lease check knows it", async () => {
  using host = new Host();
  const text = Deno.readTextFileSync(host.store);
  const other = text.replace(/("10\.5\.3\.0-24":.*"BackendType":)"vxlan"/, '$1"host-gw"');
  assert.notEqual(other, text);
  Deno.writeTextFileSync(host.store, other);
  const why = /other-backend: its backend is "host-gw", not "vxlan"$/;
  const list = (await host.ok(["lease", "list"])).stdout.split("\n");
  assert.match(list.find((line) => line.startsWith("10.5.3.0/24"))!, why);
  assert.equal(list.filter((line) => line.includes("other-backend")).length, 1);
  assert.match(
    (await host.ok(["lease", "list", "-o", "tsv"])).stdout,
    /^10\.5\.3\.0\/24\t.*\tother-backend$/m,
  );
  assert.match(
    (await host.ok(["lease", "check", "-o", "tsv"], 3)).stdout,
    /^10\.5\.3\.0\/24\tother-backend\thigh/m,
  );
});

Deno.test("whoever revokes a lease is told that its agent takes one again, and what keeps it off", async () => {
  using host = new Host();
  const { stderr } = await host.ok(["lease", "revoke", "10.5.2.0/24", "--yes"]);
  assert.match(
    stderr,
    /takes a subnet again at once, the same one if nobody is faster; flan lease reserve 10\.5\.2\.0\/24/,
  );
});

Deno.test("gc removes what nobody can read, with --yes only, forgets what is old, and leaves all else", async () => {
  using host = new Host();
  const text = Deno.readTextFileSync(host.store).replace(
    '"past":{}',
    '"past":{"10.5.77.0-24":{"how":"released","ended":1}}',
  )
    .replace(
      '"10.5.5.0-24":',
      '"10.6.1.0-24":{"revision":12,"value":{"PublicIP":"192.0.2.9"}},\n' +
        '"10.6.2.0-24":{"revision":12,"expires":4102444800,"value":{"PublicIP":"192.0.2.10"}},\n' +
        '"nonsense":{"revision":12,"value":7},\n"10.5.5.0-24":',
    );
  Deno.writeTextFileSync(host.store, text);
  await host.json("lease-gc-dry-run", ["lease", "gc", "--dry-run"]);
  assert.equal(Deno.readTextFileSync(host.store), text);
  const records = host.leases();
  const listed = await host.ok(["lease", "gc"]);
  assert.equal(
    listed.stderr,
    "flan: would remove 1 record, forgot 1 past lease\nflan: Add --yes to remove what is listed\n",
  );
  assert.deepEqual(host.leases(), records);
  await host.text("text/lease-gc.txt", ["lease", "gc", "--yes"]);
  const { nonsense: _, ...rest } = records;
  assert.deepEqual(host.leases(), rest);
  const nothing = await host.ok(["lease", "gc"]);
  assert.deepEqual([nothing.stdout, nothing.stderr], [
    "",
    "every record that stays can be read\nflan: would remove 0 records, forgot 0 past leases\n",
  ]);
});

Deno.test("lease check and store check name each fault and its remedy, and exit with 3 for severe ones", async () => {
  using host = new Host();
  await host.text("text/lease-check.txt", ["lease", "check"], 3);
  await host.json("lease-check", ["lease", "check"], 3);
  await host.text("tsv/v1/lease-check.tsv", ["lease", "check", "-o", "tsv", "--header"], 3);
  await host.ok(["lease", "revoke", "10.5.5.0/24", "--yes"]);
  assert.equal((await host.ok(["lease", "check"])).stderr, "every lease is well\n");
  await host.ok(["store", "check"]);
  const text = Deno.readTextFileSync(host.store);
  Deno.writeTextFileSync(host.store, text.replace('"Network":', '"SubnetLen":31,"Network":'));
  await host.text("text/store-check.txt", ["store", "check"], 3);
  await host.json("store-check", ["store", "check"], 3);
});

/** Everything that a process has said, as soon as it holds what is wanted. */
function said(stream: ReadableStream<Uint8Array>): (wanted: RegExp) => Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return async (wanted) => {
    while (!wanted.test(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended after ${JSON.stringify(text)}`);
      text += value;
    }
    return text;
  };
}

Deno.test("a watch goes through an outage: one line when the store goes, one when it is back, no event", async () => {
  using host = new Host();
  const child = host.command(["lease", "watch"]).spawn();
  const [out, err] = [said(child.stdout), said(child.stderr)];
  await out(/(added.*\n[^]*){3}/);
  const text = Deno.readTextFileSync(host.store);
  // An older revision: another document was put in its place.
  Deno.writeTextFileSync(
    `${host.dir}/old.json`,
    text.replace('"revision":12,\n', '"revision":11,\n').replace(/^"10\.5\.5.*\n/m, "").replace(
      /,\n}/,
      "\n}",
    ),
  );
  Deno.renameSync(`${host.dir}/old.json`, host.store);
  await err(/waits for the store: .*\n.*The store is back\n/);
  await host.ok(["lease", "revoke", "10.5.3.0/24", "--yes"]);
  const events = await out(/removed/);
  assert.deepEqual(events.match(/"event":"\w+"/g)!.map((one) => one.slice(9, -1)), [
    "added",
    "added",
    "added",
    "removed",
  ]);
  child.kill("SIGINT");
  assert.equal((await child.status).code, 130);
});

Deno.test("a watch judges by the network as it is now, and by the last good one where that cannot be used", async () => {
  using host = new Host();
  const child = host.command(["lease", "watch"]).spawn();
  const [out, err] = [said(child.stdout), said(child.stderr)];
  await out(/(added.*\n[^]*){3}/);
  await host.ok(["config", "set", "Network", "10.5.0.0/22", "--force"]);
  assert.match(await out(/removed/), /"event":"removed","lease":\{"subnet":"10\.5\.4\.0\/24"/);
  const text = Deno.readTextFileSync(host.store);
  const bad = text.replace(/"Network":"[^"]+"/, '"Network":"nowhere"').replace(
    /"revision":13/g,
    '"revision":14',
  );
  Deno.writeTextFileSync(`${host.dir}/bad.json`, bad);
  Deno.renameSync(`${host.dir}/bad.json`, host.store);
  await err(/^flan: The new network config cannot be used, the old one stays: .*nowhere.*\n/);
  Deno.writeTextFileSync(
    `${host.dir}/bad.json`,
    bad.replace(/"revision":14/g, '"revision":15').replace(/^"10\.5\.3.*\n/m, ""),
  );
  Deno.renameSync(`${host.dir}/bad.json`, host.store);
  const events = await out(/removed[^]*removed/);
  assert.match(events, /"event":"removed","lease":\{"subnet":"10\.5\.3\.0\/24".*\n$/);
  assert.equal(events.match(/"event"/g)!.length, 5);
  child.kill("SIGINT");
  assert.equal((await child.status).code, 130);
});

Deno.test("dual stack: a reservation has a subnet of each family, by either of which it is found and ended", async () => {
  using host = new Host();
  await host.ok(["config", "set", "IPv6Network", "fd00:5::/48"]);
  await host.ok(["config", "set", "EnableIPv6", "true"]);
  const given = await host.ok(["lease", "reserve", "10.5.9.0/24", "--subnet6", "fd00:5:0:99::/64", "--json"]);
  const { lease } = JSON.parse(given.stdout);
  assert.deepEqual([lease.subnet, lease.subnet6], ["10.5.9.0/24", "fd00:5:0:99::/64"]);
  await host.ok(["lease", "reserve", "10.5.10.0/24"]);
  const found = await host.ok(["lease", "get", "fd00:5:0:99::/64", "-o", "value=subnet"]);
  assert.equal(found.stdout, "10.5.9.0/24\n");
  const { stdout } = await host.ok(["lease", "list"]);
  assert.match(stdout, /10\.5\.9\.0\/24 .* for nobody, also fd00:5:0:99::\/64\n/);
  assert.ok("10.5.10.0-24&fd00:5:0:a::-64" in host.leases());
  await host.ok(["lease", "unreserve", "fd00:5:0:99::/64"]);
  assert.ok(!Object.keys(host.leases()).some((key) => key.startsWith("10.5.9.0")));
});

Deno.test("config set refuses fewer IPv6 subnets than there are leases, unless that is forced", async () => {
  using host = new Host();
  await host.ok(["config", "set", "IPv6Network", "fd00:5::/48"]);
  for (const end of ["Min", "Max"]) await host.ok(["config", "set", `IPv6Subnet${end}`, "fd00:5:0:1::"]);
  const { stderr } = await host.ok(["config", "set", "EnableIPv6", "true"], 2);
  assert.match(stderr, /it has 1 IPv6 subnets for \d leases, and some hosts would get none\n.*--force/);
  await host.ok(["config", "set", "EnableIPv6", "true", "--force"]);
});

Deno.test("config set takes encryption away only with --force, and says so", async () => {
  using host = new Host();
  for (const n of [3, 5]) await host.ok(["lease", "revoke", `10.5.${n}.0/24`, "--yes"]);
  const set = (type: string, ...more: string[]) => ["config", "set", "backend", type, ...more];
  await host.ok(set("wireguard"));
  const refused = await host.ok(set("vxlan"), 2);
  assert.equal(
    refused.stderr,
    "flan: Cannot set backend to vxlan: the network is encrypted by wireguard, and backend vxlan carries its packets in " +
      "clear\nhint: add --force if everybody on their way may read them\n",
  );
  assert.equal((await host.ok(["config", "get", "Backend.Type"])).stdout, "wireguard\n");
  await host.ok(set("ipsec"));
  const { stderr } = await host.ok(set("udp", "--force"));
  assert.match(stderr, /^flan: The network was encrypted; backend udp carries its packets in clear\n/);
  assert.ok(!(await host.ok(set("vxlan"))).stderr.includes("encrypted"));
});

Deno.test("config set names the options that a backend leaves behind, and takes them up again on the way back", async () => {
  using host = new Host();
  for (const n of [3, 5]) await host.ok(["lease", "revoke", `10.5.${n}.0/24`, "--yes"]);
  const PSK = btoa("x".repeat(32));
  const backend = { Type: "wireguard", PSK, ListenPort: 4000 };
  await host.ok(["config", "set", "backend", "--file", host.write("backend", JSON.stringify(backend))]);
  const left = await host.ok(["config", "set", "backend", "host-gw", "--force"]);
  assert.match(
    left.stderr,
    /^flan: Backend wireguard is left with its PSK, ListenPort; flan config set backend wireguard takes them up again /m,
  );
  const back = await host.ok(["config", "set", "backend", "wireguard"]);
  assert.equal(back.stderr, "flan: Backend wireguard has again the PSK, ListenPort that it had before\n");
  const whole = await host.ok(["config", "get", "Backend", "--reveal"]);
  assert.deepEqual(JSON.parse(whole.stdout), backend);
  for (const said of [left, back]) assert.ok(!(said.stdout + said.stderr).includes(PSK));
});
