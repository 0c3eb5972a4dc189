/** `up` and `down` at odd times: twice, at once, once only, in the background, and only for show. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { type NamespaceState, namespaceState } from "../lib/namespace_state.ts";

const onHost = { hosts: 1 };

/** The first host of a lab, without IPv6, and its state. */
async function prepared(hosts: Hosts): Promise<{ host: LabHost; before: NamespaceState }> {
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  return { host, before: await namespaceState(host) };
}

/** Every file of the lab with its content. */
function files(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory, isFile } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) Object.assign(found, files(path));
    else if (isFile) found[path] = Deno.readTextFileSync(path);
  }
  return found;
}

hostTest(
  "a second up says that one is running, and refuses other settings",
  { lab: "twice", ...onHost },
  async (hosts) => {
    const { host } = await prepared(hosts);
    const { subnet, agent } = await hosts.join(host, ["--backend", "vxlan"]);
    const running = await namespaceState(host);

    for (const args of [[], ["--backend", "vxlan"], ["--network", "10.244.0.0/16"]]) {
      const same = await hosts.lab.flan(host, ["up", "-o", "value=subnet", ...args]);
      assert.deepEqual([same.code, same.stdout.trim()], [0, subnet], same.stderr);
      assert.match(same.stderr, new RegExp(`running already \\(process ${agent.pid}\\)`));
    }
    for (
      const [args, named] of [
        [["--network", "10.5.0.0/16"], /network 10\.244\.0\.0\/16, but 10\.5\.0\.0\/16 is asked for/],
        [["--mtu", "1400"], /mtu 1450, but 1400 is asked for/],
      ] as const
    ) {
      const other = await hosts.lab.flan(host, ["up", ...args]);
      assert.equal(other.code, 2, other.stderr);
      assert.match(other.stderr, named);
    }
    assert.deepEqual(await namespaceState(host), running);
  },
);

hostTest("a second down has nothing to do", { lab: "downs", ...onHost }, async (hosts) => {
  const { host, before } = await prepared(hosts);
  await hosts.up(host);

  const first = await hosts.lab.flan(host, ["down"]);
  const second = await hosts.lab.flan(host, ["down"]);

  assert.deepEqual([first.code, second.code, second.stdout.trim()], [0, 0, "nothing to do"]);
  assert.deepEqual(await namespaceState(host), before);
});

hostTest(
  "up and down at once end in one of the two states, whole",
  { lab: "race", ...onHost },
  async (hosts) => {
    const { host, before } = await prepared(hosts);
    for (let round = 0; round < 4; round++) {
      const up = hosts.lab.flan(host, ["up", "--once"]);
      const downs = await Promise.all([0, 1].map(() => hosts.lab.flan(host, ["down"])));
      const { code, stderr } = await up;
      for (const down of downs) assert.equal(down.code, 0, down.stderr);
      assert.ok(code === 0 || /just starting or stopping/.test(stderr), `exit code ${code}: ${stderr}`);

      const after = await hosts.lab.flan(host, ["routes", "diff"]);
      const joined = JSON.stringify(await namespaceState(host)) !== JSON.stringify(before);
      if (joined) assert.equal(after.code, 0, `neither joined nor left: ${after.stdout}${after.stderr}`);
    }
    assert.equal((await hosts.lab.flan(host, ["down"])).code, 0);
    assert.deepEqual(await namespaceState(host), before);
    assert.doesNotMatch((await hosts.lab.flan(host, ["lease", "list"])).stdout, /10\.244\./);
  },
);

hostTest("up --once joins and leaves no process behind; the network works without one", {
  lab: "once",
  hosts: 2,
}, async (hosts) => {
  const [one, two] = hosts.lab.hosts as [LabHost, LabHost];
  const member = await hosts.join(two);
  const { code, stdout, stderr } = await hosts.lab.flan(one, ["up", "--once", "-o", "value=subnet"]);

  assert.equal(code, 0, stderr);
  assert.match(stdout, /^10\.244\.\d+\.0\/24\n$/);
  assert.equal((await must(["ip", "netns", "pids", one.namespace])).trim(), "");
  await hosts.knows(member, [member, { ...member, subnet: stdout.trim() }]);
  assert.equal(await hosts.lost(one, member.container), 0);
  assert.equal((await hosts.lab.flan(one, ["routes", "diff"])).code, 0);
});

hostTest("up --detach returns when the network works, with its agent in the background", {
  lab: "detach",
  hosts: 2,
}, async (hosts) => {
  const [one, two] = hosts.lab.hosts as [LabHost, LabHost];
  const member: Member = await hosts.join(two);

  const { code, stdout, stderr } = await hosts.lab.flan(one, ["up", "--detach", "-o", "value=subnet"]);

  assert.equal(code, 0, stderr);
  assert.match(Deno.readTextFileSync(`${one.runDir}/subnet.env`), /^FLANNEL_NETWORK=10\.244\.0\.0\/16\n/);
  assert.equal((await hosts.status(one)).code, 0);
  await hosts.knows(member, [member, { ...member, subnet: stdout.trim() }]);
  assert.equal(await hosts.lost(one, member.container), 0);
  const down = await hosts.lab.flan(one, ["down"]);
  assert.match(
    down.stdout,
    new RegExp(`stopped the agent \\(process ${/process (\d+)/.exec(stderr)![1]}\\)`),
  );
});

hostTest("up --dry-run touches neither the kernel nor a file", { lab: "dry", hosts: 2 }, async (hosts) => {
  const { host, before } = await prepared(hosts);
  const other = await hosts.join(hosts.at(2));
  const there = files(hosts.lab.directory);

  const shown = await hosts.lab.flan(host, ["up", "--dry-run"]);
  const commands = await hosts.lab.flan(host, ["up", "--dry-run", "-o", "commands"]);

  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /lease +10\.244\.\d+\.0\/24/);
  assert.match(commands.stdout, new RegExp(`ip route add ${other.subnet} `));
  assert.deepEqual(await namespaceState(host), before);
  assert.deepEqual(files(hosts.lab.directory), there);
});
