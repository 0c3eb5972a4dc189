import assert from "node:assert/strict";
import {
  ensureHostState,
  ensureMac,
  forgetLease,
  forgetNetworks,
  readHostState,
  rememberBoot,
  rememberNetwork,
  rememberSubnet,
} from "../../agent/host_state.ts";
import { isBackFromBoot, readBootId } from "../../agent/boot.ts";
import { joinedOver, readJoined, removeJoined, writeJoined } from "../../agent/joined.ts";
import { lockAgentWithin, lockHolder, makeRunDir, provenHolder, tryLockAgent } from "../../agent/lock.ts";
import { FlanError } from "../../net/errors.ts";
import { FakeClock } from "../lib/fake_clock.ts";

async function inDirectory(work: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-state-" });
  try {
    await work(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

const clock = new FakeClock();
const device = "flan.1";

Deno.test("host state: an identity is made once and kept, also by many at once", async () => {
  await inDirectory(async (dir) => {
    assert.equal(readHostState(dir), undefined);
    const all = await Promise.all(Array.from({ length: 10 }, () => ensureHostState(dir, clock)));
    assert.equal(new Set(all.map(({ node }) => node)).size, 1);
    assert.match(all[0]!.node, /^[0-9a-f]{16}$/);
    assert.deepEqual(readHostState(dir), all[0]);
  });
});

Deno.test("host state: two processes make one identity", async () => {
  await inDirectory(async (dir) => {
    const script = `
      import { ensureHostState } from "${new URL("../../agent/host_state.ts", import.meta.url)}";
      import { systemClock } from "${new URL("../../agent/clock.ts", import.meta.url)}";
      console.log((await ensureHostState(Deno.args[0], systemClock)).node);`;
    Deno.writeTextFileSync(`${dir}/make.ts`, script);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const args = ["run", "-A", "-q", "--config", config, `${dir}/make.ts`, `${dir}/state`];
    const outputs = await Promise.all([1, 2, 3].map(async () => {
      const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
      return new TextDecoder().decode(stdout).trim();
    }));
    assert.deepEqual(outputs, Array(3).fill(readHostState(`${dir}/state`)?.node));
  });
});

Deno.test("host state: a device's MAC is kept; one found in the kernel is taken up", async () => {
  await inDirectory(async (dir) => {
    await assert.rejects(ensureMac(dir, { device, existing: undefined, clock }), { code: "invalid" });
    await ensureHostState(dir, clock);
    const made = await ensureMac(dir, { device, existing: undefined, clock });
    assert.equal(parseInt(made.slice(0, 2), 16) & 3, 2, "local and unicast");
    assert.equal(await ensureMac(dir, { device, existing: "02:00:00:00:00:09", clock }), made);
    const found = await ensureMac(dir, { device: "flan.2", existing: "02:00:00:00:00:09", clock });
    assert.equal(found, "02:00:00:00:00:09");
    await rememberSubnet(dir, { subnet: "10.5.3.0/24", store: "memory:" });
    assert.deepEqual(readHostState(dir)?.macs, { [device]: made, "flan.2": found });
    assert.equal(readHostState(dir)?.previous, "10.5.3.0/24");
  });
});

Deno.test("host state: a damaged file is an error that names it, and is never replaced", async () => {
  await inDirectory(async (dir) => {
    const file = `${dir}/host.json`;
    const good = { schema: "flan.host/v1", node: "0123456789abcdef", macs: {} };
    const damaged = ["", "{", "null", "[]", "x".repeat(70_000)].concat(
      [{ schema: "flan.host/v2" }, { node: "../../etc" }, { macs: { a: "ff" } }, { previous: "10.5.0.1/24" }]
        .map((change) => JSON.stringify({ ...good, ...change })),
    );
    for (const text of damaged) {
      Deno.writeTextFileSync(file, text);
      const names = (error: unknown) => {
        assert.ok(error instanceof FlanError && error.code === "invalid", `${text.slice(0, 80)}: ${error}`);
        return error.hint!.includes(file);
      };
      assert.throws(() => readHostState(dir), names);
      await assert.rejects(ensureHostState(dir, clock), names);
      assert.equal(Deno.readTextFileSync(file), text);
    }
    Deno.writeTextFileSync(file, JSON.stringify(good));
    assert.equal(readHostState(dir)?.node, good.node);
  });
});

Deno.test("joined: what was written is read, nothing is undefined, and damage is an error with a remedy", async () => {
  await inDirectory(async (dir) => {
    assert.equal(readJoined(dir), undefined);
    const joined = { pid: 7, settings: { backend: "vxlan" }, found: { iface: "eth0" } };
    await writeJoined(dir, joined);
    const { pid, settings, found } = readJoined(dir)!;
    assert.deepEqual({ pid, settings, found }, joined);
    await writeJoined(dir, { ...joined, node: "0123456789abcdef", device: "flan.1" });
    const { node, device } = readJoined(dir)!;
    assert.deepEqual([node, device], ["0123456789abcdef", "flan.1"]);
    for (const text of ["", "[]", '{"schema":"flan.joined/v9"}', " ".repeat(70_000)]) {
      Deno.writeTextFileSync(`${dir}/joined.json`, text);
      assert.throws(() => readJoined(dir), { code: "invalid", hint: /remove .*joined\.json/ });
    }
    removeJoined(dir);
    removeJoined(dir);
    assert.equal(readJoined(dir), undefined);
  });
});

Deno.test("joined: what carries the overlay is kept with its address, and found for the next agent", async () => {
  await inDirectory(async (dir) => {
    assert.equal(joinedOver(dir), undefined);
    const found = { iface: "eth0", publicIp: "192.0.2.1" };
    const joined = { pid: 7, settings: {}, found };
    await writeJoined(dir, joined);
    assert.deepEqual(joinedOver(dir), { link: "eth0", address: "192.0.2.1" }, "an older document");
    const underlay = { link: "eth0", address: "10.0.0.1" };
    await writeJoined(dir, { ...joined, underlay });
    assert.deepEqual(joinedOver(dir), underlay, "whatever address is announced");
  });
});

Deno.test("boot: a host is back from one where it was in a network before it, and not where it left or does not know", async () => {
  const [now, before] = [readBootId()!, "00000000-0000-4000-8000-000000000001"];
  assert.match(now, /^[0-9a-f-]{36}$/);
  assert.equal(readBootId(), now);
  assert.deepEqual([readBootId("/nowhere/boot_id"), readBootId("/proc/version")], [undefined, undefined]);
  await inDirectory(async (dir) => {
    const isBack = () => isBackFromBoot(readHostState(dir), now);
    assert.equal(isBack(), false);
    await ensureHostState(dir, clock);
    await rememberNetwork(dir, "10.5.0.0/16");
    assert.equal(isBack(), false, "an older document");
    await rememberBoot(dir, now);
    assert.equal(isBack(), false, "the agent was started anew");
    await rememberBoot(dir, before);
    assert.equal(isBack(), true);
    assert.equal(isBackFromBoot(readHostState(dir), undefined), false, "a kernel that does not tell");
    await forgetNetworks(dir);
    assert.equal(isBack(), false, "it has left");
    const file = `${dir}/host.json`;
    Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replace(before, "x".repeat(60_000)));
    assert.throws(() => readHostState(dir), { code: "invalid" });
  });
});

Deno.test("lock: held by one process at a time, named, and free when its holder dies", async () => {
  await inDirectory(async (dir) => {
    const runDir = `${dir}/a/run`;
    makeRunDir(runDir);
    assert.equal(lockHolder(runDir), undefined);
    const script = `
      import { tryLockAgent } from "${new URL("../../agent/lock.ts", import.meta.url)}";
      console.log(tryLockAgent(Deno.args[0]) === undefined ? "busy" : "held");
      await Deno.stdin.read(new Uint8Array(1));`;
    Deno.writeTextFileSync(`${dir}/hold.ts`, script);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const holder = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "--config", config, `${dir}/hold.ts`, runDir],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "held\n");
    assert.equal(tryLockAgent(runDir), undefined);
    assert.equal(lockHolder(runDir), holder.pid);
    assert.equal(provenHolder(runDir), holder.pid);
    // Somebody's number in the file proves nothing: neither a stranger's nor that of a process that has gone.
    for (const stranger of [Deno.ppid, 4_194_000]) {
      Deno.writeTextFileSync(`${runDir}/agent.lock`, `${stranger}\n`);
      assert.equal(provenHolder(runDir), holder.pid);
    }
    Deno.writeTextFileSync(`${runDir}/agent.lock`, `${holder.pid}\n`);
    const waiting = lockAgentWithin(runDir, { ms: 1000, clock });
    await clock.advance(1000);
    assert.equal(await waiting, undefined, "given up");
    holder.kill("SIGKILL");
    await holder.status;
    await reader.cancel();
    await holder.stdin.abort();
    const lock = tryLockAgent(runDir);
    assert.ok(lock !== undefined, "a dead holder holds nothing");
    Deno.writeTextFileSync(`${runDir}/agent.lock`, `${Deno.ppid}\n`);
    assert.equal(provenHolder(runDir), undefined, "nobody is taken for the holder who has not the file open");
    lock.release();
    const taken = await lockAgentWithin(runDir, { ms: 0, clock });
    assert.ok(taken !== undefined, "free again");
    assert.equal(lockHolder(runDir), Deno.pid);
    taken.release();
  });
});

Deno.test("lock: a new run directory is for every user to look into, one that was there stays as it is", async () => {
  await inDirectory(async (dir) => {
    const script = `
      import { makeRunDir } from "${new URL("../../agent/lock.ts", import.meta.url)}";
      Deno.umask(0o077);
      for (const dir of Deno.args) makeRunDir(dir);`;
    Deno.writeTextFileSync(`${dir}/make.ts`, script);
    Deno.mkdirSync(`${dir}/kept`, { mode: 0o750 });
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "--config", config, `${dir}/make.ts`, `${dir}/new`, `${dir}/kept`],
    }).output();
    assert.ok(success);
    const modes = ["new", "kept"].map((name) => Deno.statSync(`${dir}/${name}`).mode! & 0o777);
    assert.deepEqual(modes, [0o755, 0o750]);
  });
});

Deno.test("lock: a run directory that cannot be made is an error that names it", async () => {
  await inDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/file`, "");
    assert.throws(() => makeRunDir(`${dir}/file/run`), { code: "failed", message: /file\/run/ });
  });
});

Deno.test("host state: the store of a lease is remembered until the lease is given back, the subnet for ever", async () => {
  await inDirectory(async (dir) => {
    await ensureHostState(dir, clock);
    assert.equal(readHostState(dir)?.leasedIn, undefined);
    await rememberSubnet(dir, { subnet: "10.5.3.0/24", store: "file:/n.json" });
    assert.equal(readHostState(dir)?.leasedIn, "file:/n.json");
    await forgetLease(dir);
    const { previous, leasedIn } = readHostState(dir)!;
    assert.deepEqual([previous, leasedIn], ["10.5.3.0/24", undefined]);
  });
});

Deno.test("host state: networks are kept, the latest last and no more than 32, until nothing is left in them", async () => {
  await inDirectory(async (dir) => {
    await ensureHostState(dir, clock);
    for (let n = 0; n < 40; n++) await rememberNetwork(dir, `10.${n}.0.0/16`);
    await rememberNetwork(dir, "10.20.0.0/16");
    const { networks } = readHostState(dir)!;
    assert.deepEqual([networks.length, networks[0], networks.at(-1)], [32, "10.8.0.0/16", "10.20.0.0/16"]);
    await forgetNetworks(dir);
    assert.deepEqual(readHostState(dir)!.networks, []);
    Deno.writeTextFileSync(
      `${dir}/host.json`,
      '{"schema":"flan.host/v1","node":"11111111111111aa","macs":{}}',
    );
    assert.deepEqual(readHostState(dir)!.networks, [], "one of an older flan");
  });
});
