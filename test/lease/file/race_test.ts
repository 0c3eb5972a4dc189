/** Real processes, one file. */
import assert from "node:assert/strict";
import { FileStore } from "../../../lease/file/file_store.ts";
import { FileLock, LOCK_LIMIT } from "../../../lease/file/file_lock.ts";
import { silent } from "../../../net/log.ts";
import { fails } from "../../conformance/store_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { acquireInChild, holdLockInChild } from "../../lib/lease_process.ts";

const lease = { key: "10.5.1.0-24", value: { PublicIP: "192.168.7.1" }, node: "node-1", ttl: 60 };

Deno.test("twenty processes that race for sixteen subnets get sixteen different ones", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-race-" });
  const path = `${directory}/network.json`;
  const store = new FileStore(path, { clock: new FakeClock(), log: silent });
  await store.writeConfig({ Network: "10.5.0.0/24", SubnetLen: 28, SubnetMin: "10.5.0.0" }, 0);
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => acquireInChild(path, i + 1)));
  const won = results.filter(({ code }) => code === 0).map(({ output }) => output.trim());
  const lost = results.filter(({ code }) => code !== 0).map(({ output }) => output);
  assert.deepEqual(won.sort(), Array.from({ length: 16 }, (_, i) => `10.5.0.${i * 16}/28`).sort(), lost[0]);
  assert.equal(lost.length, 4);
  for (const output of lost) assert.match(output, /^out-of-subnets: .*out of subnets, all 16 /);
  assert.equal((await store.read()).records.length, 16);
  await store.remove((await store.read()).records[0]!.key, (await store.read()).records[0]!.revision);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a writer gives up on a lock that nobody lets go of, and nothing piles up behind it", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-lock-" });
  const path = `${directory}/network.json`;
  const clock = new FakeClock();
  const store = new FileStore(path, { clock, log: silent });
  await store.writeConfig({ Network: "10.5.0.0/16" }, 0);
  {
    await using holder = await holdLockInChild(path);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const writes = [store.create(lease), store.create(lease)].map((write) => fails(write, "store"));
      await clock.untilSleeping(2);
      await clock.advance(LOCK_LIMIT);
      for (const { message } of await Promise.all(writes)) {
        assert.match(message, /^Cannot lock .*network\.json\.lock: .*10 seconds$/);
      }
    }
    // One attempt is waiting: one descriptor, and a second as soon as Deno's thread has duplicated it. Six
    // writers that each waited for themselves would have six at least.
    const open = locksOpen(path);
    assert.ok(open === 1 || open === 2, `${open} descriptors are open`);
    assert.equal((await store.read()).revision, 1);
    // A writer that is waiting when the lock becomes free gets it.
    const late = store.create(lease);
    await clock.untilSleeping();
    await holder[Symbol.asyncDispose]();
    assert.equal((await late).key, lease.key);
  }
  assert.equal(locksOpen(path), 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a lock that comes after the writer gave up is let go of at once", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-lock-" });
  const path = `${directory}/network.json`;
  const clock = new FakeClock();
  const store = new FileStore(path, { clock, log: silent });
  await store.writeConfig({ Network: "10.5.0.0/16" }, 0);
  {
    await using _holder = await holdLockInChild(path);
    const write = fails(store.create(lease), "store");
    await clock.untilSleeping();
    await clock.advance(LOCK_LIMIT);
    await write;
  }
  assert.equal((await acquireInChild(path, 1)).output, "10.5.1.0/24\n");
  assert.equal((await store.read()).revision, 2);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a lock that comes in the turn in which the limit ends is used, and let go of", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flan-lock-" });
  const path = `${directory}/network.json`;
  const clock = new FakeClock();
  const limit = Promise.withResolvers<void>();
  clock.sleep = () => limit.promise;
  const asked = Promise.withResolvers<void>();
  const granted = Promise.withResolvers<void>();
  const lock = Deno.FsFile.prototype.lock;
  Deno.FsFile.prototype.lock = () => {
    asked.resolve();
    return granted.promise;
  };
  try {
    const held = new FileLock(`${path}.lock`, clock).hold(() => Promise.resolve(locksOpen(path)));
    await asked.promise;
    limit.resolve();
    granted.resolve();
    assert.equal(await held, 1);
    assert.equal(locksOpen(path), 0);
  } finally {
    Deno.FsFile.prototype.lock = lock;
  }
  await Deno.remove(directory, { recursive: true });
});

/** How many descriptors of this process are on the lock file. */
function locksOpen(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === `${path}.lock`;
    } catch {
      return false;
    }
  }).length;
}
