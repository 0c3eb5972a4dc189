/** How flan behaves in a pipe, under a signal, and where the answer is no. */
import assert from "node:assert/strict";
import { isPrintable } from "../../net/text.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

function withNetwork(): Sandbox {
  const sandbox = new Sandbox();
  Deno.copyFileSync(fixturePath("json/v1/network.json"), sandbox.store);
  return sandbox;
}

/** Reads one line and closes the pipe, like `head -1`. */
async function head(command: Deno.Command): Promise<{ line: string; stderr: string; code: number }> {
  const child = command.spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    if (text.includes("\n")) break;
  }
  await reader.cancel();
  const stderr = await child.stderr.text();
  return { line: text.split("\n")[0]!, stderr, code: (await child.status).code };
}

Deno.test("a pipe that is closed ends flan like any other program, without a word", async () => {
  using sandbox = withNetwork();
  // Larger than any pipe holds, so that the write is still going on when its reader leaves.
  const network = JSON.parse(Deno.readTextFileSync(sandbox.store));
  const [lease] = Object.values(network.leases);
  for (let i = 0; i < 4000; i++) {
    network.leases[`10.5.${128 + (i >> 6)}.${(i & 63) << 2}-30`] = { ...lease as object, node: `node-${i}` };
  }
  Deno.writeTextFileSync(sandbox.store, JSON.stringify(network));
  const { line, stderr, code } = await head(sandbox.command(["lease", "list", "-o", "tsv", "--header"]));
  assert.match(line, /^subnet\tpublic-ip\t/);
  assert.equal(stderr, "");
  assert.equal(code, 141);
});

for (
  const args of [["--help"], ["lease", "list"], ["lease", "list", "--help"], ["store", "export"], [
    "completions",
    "bash",
  ]]
) {
  Deno.test(`flan ${args.join(" ")} says in one sentence that the disk is full`, async () => {
    using sandbox = withNetwork();
    const within = ["sh", "-c", 'exec "$@" > /dev/full', "sh"];
    const { code, stderr } = await sandbox.flan(args, { within });
    assert.deepEqual(
      [code, stderr],
      [1, "flan: Cannot write to stdout: No space left on device (os error 28)\n"],
    );
  });
}

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`lease watch ends at ${signal} with ${expected} and says nothing`, async () => {
    using sandbox = withNetwork();
    const child = sandbox.command(["lease", "watch"]).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; text.split("\n").length <= 3; text += (await reader.read()).value);
    child.kill(signal);
    assert.equal((await reader.read()).done, true);
    assert.equal(await child.stderr.text(), "");
    assert.equal((await child.status).code, expected);
  });
}

const answers: [args: string[], code: number, stderr: RegExp][] = [
  [["lease", "get"], 3, /^flan: This host has no lease in file:\S+network\.json\n$/],
  [["lease", "renew"], 3, /^flan: This host has no lease in/],
  [["lease", "release"], 3, /^flan: This host has no lease in/],
  [
    ["lease", "renew", "10.5.2.0/24"],
    1,
    /^flan: Cannot renew 10\.5\.2\.0\/24: it belongs to node 22222222222222bb/,
  ],
  [["lease", "release", "10.5.3.0/24"], 1, /it belongs to the flannel host at 192\.0\.2\.3\nhint/],
  [["lease", "revoke", "10.5.77.0/24"], 3, /^flan: Cannot revoke 10\.5\.77\.0\/24: nobody has that lease in/],
  [
    ["lease", "revoke", "10.5.2.0/24"],
    2,
    /: the lease 10\.5\.2\.0\/24 of 192\.0\.2\.2 \(node 2{14}bb\) is alive\nhint: add --yes to cut it off\n$/,
  ],
  [
    ["lease", "reserve", "10.5.2.0/24"],
    1,
    /^flan: Cannot reserve .*: it is held by the lease .* \(node 2{14}bb\)\nhint: flan lease reserve .* --for 2{14}bb/,
  ],
  [
    ["lease", "get", "10.5.5.0/24"],
    3,
    /^flan: Lease 10\.5\.5\.0\/24 in \S+ is refused: its endpoint 127\.0\.0\.1/,
  ],
  [["lease", "get", "10.5.77.0/24"], 3, /^flan: Nobody has lease 10\.5\.77\.0\/24 in/],
  [["lease", "release", "10.5.77.0/24"], 3, /^flan: Cannot release 10\.5\.77\.0\/24: nobody has that lease/],
  [
    ["lease", "release", "10.5.2.0/24"],
    1,
    /it belongs to node 22222222222222bb at 192\.0\.2\.2\nhint: flan lease revoke 10\.5\.2\.0\/24 takes it away\n$/,
  ],
  [
    ["lease", "get", "10.5.2.0/24", "-o", "env"],
    2,
    /Cannot print format "env": lease 10\.5\.2\.0\/24 is not this/,
  ],
  [
    ["lease", "get", "10.5.2.0/24", "-o", "value=nope"],
    2,
    /Cannot print field "nope": the fields are subnet/,
  ],
  [["config", "get", "Backend.VNI"], 3, /^flan: Cannot show "Backend\.VNI": the network config in/],
  [["config", "set", "Network", "127.0.0.0/8"], 2, /Network is 127\.0\.0\.0\/8: it overlaps 127\.0\.0\.0\/8/],
  [
    ["config", "set", "SubnetLne", "24"],
    2,
    /^flan: Cannot set SubnetLne: flannel's network config has no such key/,
  ],
  [
    ["config", "set", "SubnetLen", "25"],
    2,
    /^flan: Cannot set SubnetLen to 25: 3 leases would no longer fit, the first is 10\.5\.2\.0\/24\n/,
  ],
  [["config", "set", "Backend.VNI", "0"], 2, /VNI is 0 but 1 to 16777215 is needed/],
  [["config", "set", "__proto__.x", "1"], 2, /^flan: Cannot set __proto__\.x: a key such as SubnetLen/],
  [
    ["status", "-o", "value=drift"],
    3,
    /^flan: No agent runs in \S+\/run\nhint: this host has joined no network; flan up --detach joins the one in --store, or starts one there\n$/,
  ],
  [["status", "--wait", "--timeout", "0"], 6, /^flan: The network is not ready after 0 s: no agent runs\n$/],
];

for (const [args, code, stderr] of answers) {
  Deno.test(`flan ${args.join(" ")} answers with ${code} and leaves the store alone`, async () => {
    using sandbox = withNetwork();
    const before = Deno.readTextFileSync(sandbox.store);
    const said = await sandbox.flan(args);
    assert.match(said.stderr, stderr);
    assert.deepEqual([said.code, said.stdout], [code, ""]);
    assert.equal(Deno.readTextFileSync(sandbox.store), before);
  });
}

Deno.test("where no network was started, the answer is 4 with what starts one", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["lease", "list"]);
  assert.match(
    stderr,
    /^flan: Cannot find a network in file:\S+: none was started there\nhint: flan up starts one/,
  );
  assert.deepEqual([code, stdout], [4, ""]);
});

Deno.test("a store without a network is severe: no host is joined by it", async () => {
  using sandbox = new Sandbox();
  const said = await sandbox.flan(["store", "check"]);
  assert.deepEqual([said.code, said.stdout.split("\n")[0]], [
    3,
    "! no-network  The store holds no network config",
  ]);
});

Deno.test("status without an agent says so on stdout, gives advice on stderr, and answers no", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["status"]);
  assert.deepEqual([code, stdout, stderr], [
    3,
    "agent   not running\n",
    "hint: this host has joined no network; flan up --detach joins the one in --store, or starts one there\n",
  ]);
});

Deno.test("config set changes one value and prints it alone; config get reads it in any spelling", async () => {
  using sandbox = withNetwork();
  const set = await sandbox.flan(["config", "set", "backend.mtu", "1400"]);
  assert.equal(set.stdout, "backend.mtu: 1400\n");
  assert.deepEqual(JSON.parse((await sandbox.flan(["config", "get"])).stdout), {
    Network: "10.5.0.0/16",
    Backend: { Type: "vxlan", mtu: 1400 },
  });
  assert.equal((await sandbox.flan(["config", "get", "BACKEND.MTU"])).stdout, "1400\n");
});

Deno.test("config set removes a key by null, and says of an unknown option what was meant", async () => {
  using sandbox = withNetwork();
  const set = (key: string, value: string) => sandbox.flan(["config", "set", key, value]);
  const network = async () => JSON.parse((await sandbox.flan(["config", "get"])).stdout);
  const typo = await set("Backend.Learnin", "false");
  assert.equal(
    typo.stderr,
    'flan: The vxlan option "Learnin" is not known to this version and is ignored: did you mean learning?\n',
  );
  const removed = await set("backend.learnin", "null");
  assert.deepEqual([removed.code, removed.stdout, removed.stderr], [0, "backend.learnin: removed\n", ""]);
  assert.deepEqual(await network(), { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
  assert.equal((await set("Backend.Learnin", "null")).code, 0, "what is not there is removed already");
  const [type, backend] = [await set("Backend.Type", "null"), await set("Backend", "null")];
  assert.ok(type.code > 0 && backend.code > 0, "what every network needs stays");
  assert.deepEqual(await network(), { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
});

Deno.test("config set says of an IPv6 network that nothing goes by it yet, and what makes the network dual stack", async () => {
  using sandbox = withNetwork();
  const { code, stderr } = await sandbox.flan(["config", "set", "IPv6Network", "fd00:5::/48"]);
  assert.deepEqual([code, stderr], [
    0,
    "flan: IPv6Network has no effect until EnableIPv6 is true: flan config set EnableIPv6 true\n",
  ]);
  const removed = await sandbox.flan(["config", "set", "IPv6Network", "null"]);
  assert.equal(removed.stdout, "IPv6Network: removed\n");
});

Deno.test("config set refuses what would put hosts out of touch, says how it goes without, and does it with --force", async () => {
  using sandbox = withNetwork();
  const port = ["config", "set", "Backend.Port", "4789"];
  const { code, stdout, stderr } = await sandbox.flan(port);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /^flan: Cannot set Backend\.Port to 4789: the \d+ hosts go over .* one by one.*\nhint: move to another/,
  );
  assert.equal((await sandbox.flan([...port, "--force"])).stdout, "Backend.Port: 4789\n");
  // A flannel host is among them, which could not follow to another backend.
  const document = JSON.parse(Deno.readTextFileSync(sandbox.store));
  Deno.writeTextFileSync(sandbox.store, JSON.stringify({ ...document, leases: {} }));
  assert.equal((await sandbox.flan(["config", "set", "backend", "host-gw"])).code, 0);
  const former = await sandbox.flan(["config", "get", "FormerBackends"]);
  assert.deepEqual(JSON.parse(former.stdout), [{ Type: "vxlan", Port: 4789 }]);
  const cleared = await sandbox.flan(["config", "set", "formerbackends", "[]"]);
  assert.equal(cleared.stdout, "formerbackends: []\n");
  assert.equal((await sandbox.flan(["config", "get", "FormerBackends"])).stdout, "[]\n", "as it said");
});

Deno.test("a secret of the network is given by a file only, shown to who asks for it, and in no file that others may read", async () => {
  using sandbox = withNetwork();
  const psk = btoa("x".repeat(32));
  const document = JSON.parse(Deno.readTextFileSync(sandbox.store));
  document.config.value.Backend = { Type: "wireguard" };
  document.leases = {};
  Deno.writeTextFileSync(sandbox.store, JSON.stringify(document));
  const modeOf = (path: string) => Deno.statSync(path).mode! & 0o777;
  for (const [key, value] of [["Backend.PSK", psk], ["Backend", `{"Type":"wireguard","psk":"${psk}"}`]]) {
    const { code, stdout, stderr } = await sandbox.flan(["config", "set", key!, value!]);
    assert.equal(code, 2);
    assert.match(stderr, /it is a secret.*\n.*--file/s);
    assert.ok(!(stdout + stderr).includes(psk));
  }
  const file = sandbox.write("psk", `${psk}\n`);
  const { code, stdout, stderr } = await sandbox.flan(["config", "set", "Backend.PSK", "--file", file]);
  assert.deepEqual([code, stdout], [0, "Backend.PSK: (secret)\n"], stderr);
  const other = await sandbox.flan(["config", "set", "Backend.ListenPort", "4000"]);
  const all = await Promise.all(
    [["config", "get"], ["config", "get", "Backend"]].map((args) => sandbox.flan(args)),
  );
  for (const said of [other, ...all]) assert.ok(!(said.stdout + said.stderr).includes(psk), said.stdout);
  assert.equal((await sandbox.flan(["config", "get", "--reveal", "Backend.PSK"])).stdout, `${psk}\n`);
  assert.deepEqual([modeOf(sandbox.store), modeOf(`${sandbox.store}.backup`)], [0o600, 0o600]);
  assert.equal((await sandbox.flan(["config", "set", "Backend.PSK", ""])).code, 0);
  assert.equal(modeOf(sandbox.store), 0o644);
});

Deno.test("config check reads a network config that flannel takes, also one that must not be started", async () => {
  using sandbox = new Sandbox();
  const file = sandbox.write("net-conf.json", '{"Network": "0.0.0.0/0", "Backend": {"Type": "vxlan"}}');
  const { code, stdout } = await sandbox.flan(["config", "check", file]);
  assert.deepEqual([code, stdout], [0, `the settings and the network config in ${file} are valid\n`]);
});

Deno.test("config check refuses a network config of null instead of taking it for none", async () => {
  using sandbox = new Sandbox();
  const { code, stderr } = await sandbox.flan(["config", "check", sandbox.write("null.json", "null")]);
  assert.match(stderr, /null is not a JSON object/);
  assert.equal(code, 2);
});

Deno.test("a state directory that is a file is a failure, and not a matter of permission", async () => {
  using sandbox = withNetwork();
  const { code, stderr } = await sandbox.flan(["lease", "get", "--state-dir", sandbox.store]);
  assert.match(stderr, /^flan: Cannot read \S+network\.json\/host\.json: Not a directory/);
  assert.equal(code, 1);
});

Deno.test("a network config cannot speak to the terminal of who asks for it", async () => {
  using sandbox = withNetwork();
  const network = JSON.parse(Deno.readTextFileSync(sandbox.store));
  network.config.value["K\u001b[2J\u009b"] = "v\u001b[31m\nflan: all is well";
  Deno.writeTextFileSync(sandbox.store, JSON.stringify(network));
  const asked = [["config", "get"], ["config", "get", "K\u001b[2J\u009b"], ["config", "check"]];
  for (const args of asked) {
    const { stdout, stderr } = await sandbox.flan(args);
    assert.ok(`${stdout}${stderr}`.split("\n").every(isPrintable), JSON.stringify([stdout, stderr]));
    assert.doesNotMatch(stdout, /^flan: all is well/m);
  }
});
