/** How an agent begins and ends when something is in its way: nobody is left with a network and no trace. */
import assert from "node:assert/strict";
import { must } from "../../cmd/demo/shell.ts";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { planes } from "../lib/planes.ts";

const onHost = { hosts: 1 };

const damages: readonly [what: string, damage: (file: string) => void][] = [
  ["lost", (file) => Deno.removeSync(file)],
  ["damaged", (file) => Deno.writeTextFileSync(file, "{")],
];

hostTest("a run directory too long for a socket is refused before anything is joined", {
  lab: "long",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  const before = await namespaceState(host);
  const runDir = `${hosts.lab.directory}/${"r".repeat(100)}`;

  const { code, stdout, stderr } = await hosts.lab.flan(host, ["up", "--detach", "--run-dir", runDir]);

  assert.match(stderr, /^flan: Cannot listen on \S+status\.sock: a socket's path has 107 bytes at most/);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(Deno.readTextFileSync(`${runDir}/agent.log`), / error The agent ends: Cannot listen on /);
  assert.deepEqual(await namespaceState(host), before);
});

hostTest("an agent whose waiting flan up --detach was interrupted keeps the network it has joined", {
  lab: "orphan",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  // Nobody reads what the agent prints when it is ready.
  const agent = hosts.start(host, ["sh", "-c", '"$@" | true', "sh", ...flanCommand(["up", "--detached"])]);
  await agent.err.line(/ info Ready /);

  const waited = await hosts.lab.flan(host, ["status", "--wait", "--timeout", "5"]);
  const down = await hosts.lab.flan(host, ["down"]);

  assert.equal(waited.code, 0, waited.stderr);
  assert.match(down.stdout, /^stopped the agent /);
  await agent.ended();
});

hostTest("a second up beside one that is still joining waits for it, and says the same", {
  lab: "both",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  const up = () => hosts.lab.flan(host, ["up", "--detach", "-o", "value=subnet"]);

  const both = await Promise.all([up(), up(), up()]);

  for (const { code, stderr } of both) assert.equal(code, 0, stderr);
  assert.deepEqual(new Set(both.map(({ stdout }) => stdout)).size, 1);
});

hostTest(
  "down kills nobody who is only named in the lock file",
  { lab: "named", ...onHost },
  async (hosts) => {
    const host = hosts.at(1);
    const bystander = hosts.start(host, ["sleep", "1000"]);
    Deno.mkdirSync(host.runDir, { recursive: true });
    const lock = `${host.runDir}/agent.lock`;
    Deno.writeTextFileSync(lock, `${bystander.pid}\n`);
    // flock(1) takes the lock and ends; the shell goes on holding it, and no number tells so.
    const holder = hosts.start(host, ["sh", "-c", `exec 9<>${lock}; flock 9; echo held; exec sleep 1000`]);
    await holder.out.line(/held/);

    const { code, stdout, stderr } = await hosts.lab.flan(host, ["down"]);

    assert.match(
      stderr,
      /^flan: Cannot stop the agent: \S+agent\.lock is held by a process that cannot be told/,
    );
    assert.deepEqual([code, stdout], [1, ""]);
    for (const { pid } of [bystander, holder]) assert.ok(Deno.statSync(`/proc/${pid}/fd`).isDirectory);
  },
);

for (const plane of planes) {
  const where = (lab: string) => ({ lab: `${lab}-${plane.backend}`, ...onHost, plane });

  hostTest(
    `down kills an agent that is deaf, and cleans up after it, with ${plane.backend}`,
    where("deaf"),
    async (hosts) => {
      const host = hosts.at(1);
      await hosts.withoutIpv6(host);
      const before = await namespaceState(host);
      const agent = await hosts.up(host);
      Deno.kill(agent.pid, "SIGSTOP");

      const { code, stdout, stderr } = await hosts.lab.flan(host, ["down"]);

      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^stopped the agent \\(process ${agent.pid}\\)`));
      assert.equal((await agent.ended()).signal, "SIGKILL");
      assert.deepEqual(await namespaceState(host), before);
      assert.equal(await must(["ip", "netns", "pids", host.namespace]), "");
    },
  );

  for (const [what, damage] of damages) {
    const title = `down leaves the network also where host.json is ${what}, with ${plane.backend}`;
    hostTest(title, where(what), async (hosts) => {
      const host = hosts.at(1);
      await hosts.withoutIpv6(host);
      const before = await namespaceState(host);
      await hosts.up(host);
      damage(`${host.stateDir}/host.json`);

      const { code, stdout, stderr } = await hosts.lab.flan(host, ["down"]);

      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`removed link ${plane.device}\n[^]*released lease 10\\.244\\.`));
      assert.deepEqual(await namespaceState(host), before);
      assert.equal(await must(["ip", "netns", "pids", host.namespace]), "");
    });
  }
}

hostTest("down stops no agent where it cannot know what to remove, and names what it leaves", {
  lab: "whose",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  await hosts.up(host);
  Deno.removeSync(`${host.runDir}/joined.json`);
  const state = `${host.stateDir}/host.json`;
  Deno.writeTextFileSync(state, "{");

  const damaged = await hosts.lab.flan(host, ["down"]);
  assert.match(damaged.stderr, /^flan: Cannot use \S+host\.json: /);
  assert.equal(damaged.code, 2);
  assert.ok((await hosts.status(host)).problems, "the agent goes on");

  Deno.removeSync(state);
  const lost = await hosts.lab.flan(host, ["down"]);
  assert.match(
    lost.stderr,
    /flan: Cannot remove link flan\.1: neither \S+host\.json nor \S+joined\.json is there/,
  );
  assert.match(
    lost.stderr,
    /hint: if no other flan in this network namespace made it: ip link delete flan\.1/,
  );
  assert.equal(lost.code, 1);
});

hostTest("down names a device whose alias somebody took away", { lab: "alias", ...onHost }, async (hosts) => {
  const host = hosts.at(1);
  assert.equal((await hosts.lab.flan(host, ["up", "--once"])).code, 0);
  await must(["ip", "-netns", host.namespace, "link", "set", "flan.1", "alias", ""]);

  for (let i = 0; i < 2; i++) {
    const { code, stderr } = await hosts.lab.flan(host, ["down"]);
    assert.match(
      stderr,
      /^flan: Cannot remove link flan\.1: the alias .* was taken from it\nhint: ip link delete flan\.1$/m,
    );
    assert.equal(code, 1);
  }
  await hosts.ip(host, "link delete flan.1");
  assert.equal((await hosts.lab.flan(host, ["down"])).code, 0);
});

hostTest("a store that is away is neither replaced by another network nor taken for an empty one", {
  lab: "away",
  ...onHost,
}, async (hosts) => {
  const host = hosts.at(1);
  const store = `${hosts.lab.directory}/store`;
  const flan = (...args: string[]) =>
    hosts.lab.flan(host, [...args, "--store", `file:${store}/network.json`]);
  Deno.mkdirSync(store);
  assert.equal((await flan("up", "--once")).code, 0);
  Deno.renameSync(store, `${store}.away`);

  const again = await flan("up", "--once");
  const down = await flan("down");

  assert.match(
    again.stderr,
    /^flan: Cannot find the network in \S+ that leases 10\.244\.1\.0\/24 to this host\nhint: /,
  );
  assert.match(down.stderr, /^flan: The host is clean, but its lease was not released: /);
  assert.deepEqual([again.code, down.code], [4, 4]);
  assert.throws(() => Deno.statSync(store), Deno.errors.NotFound);
  Deno.renameSync(`${store}.away`, store);
  assert.equal((await flan("down")).stdout, "released lease 10.244.1.0/24\n");
  Deno.removeSync(store, { recursive: true });
  assert.equal((await flan("up", "--once")).code, 0, "what was given back ties the host to no store");
});
