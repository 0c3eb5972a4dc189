/** A writer that is killed, or whose disk fails, leaves a whole document and keeps nobody from going on. */
import assert from "node:assert/strict";
import { loadDocument } from "../../../lease/file/document_file.ts";
import { siblings } from "../../../lease/file/durable_file.ts";
import { FileStore } from "../../../lease/file/file_store.ts";
import { acquire } from "../../../lease/manager.ts";
import { silent } from "../../../net/log.ts";
import { systemClock as clock } from "../../../agent/clock.ts";
import { acquireInChild, callsInChild, injectionMissing } from "../../lib/lease_process.ts";

const missing = injectionMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;
const config = { Network: "10.5.0.0/16", Backend: { Type: "host-gw" } };

/** The files that a write uses, by what stands after the document's path; "/.." is the directory. */
const files = ["", ".lock", ".tmp-PID-0", ".backup", "/.."];

/** What any list of a write's system calls must hold; a shorter one was not made of a write. */
const certain = [
  ".lock flock",
  ".tmp-PID-0 write",
  ".tmp-PID-0 fsync",
  ".tmp-PID-0 rename",
  ".backup linkat",
];

Deno.test({
  name: `a kill at any system call of a lease write leaves the old document or the new${why}`,
  ignore: missing !== undefined,
  async fn() {
    const points = (await Promise.all(files.map(callsOn))).flat();
    const named = points.map((point) => point.join(" "));
    for (const point of certain) {
      assert.ok(named.includes(point), `${point} is not among ${named.join(", ")}`);
    }
    // A few at a time: the processes mostly wait for strace.
    const queue = [...points];
    const kills: number[] = [];
    const sweep = async () => {
      for (let point = queue.shift(); point !== undefined; point = queue.shift()) {
        kills.push(await killAt(point));
      }
    };
    await Promise.all(Array.from({ length: 4 }, sweep));
    assert.equal(kills.length, points.length);
  },
});

/** Every system call of a write that names or uses one of its files: [suffix of the path, call]. */
async function callsOn(suffix: string): Promise<[string, string][]> {
  const directory = await newDirectory();
  const path = `${directory}/network.json`;
  const calls = await callsInChild(path, 1, tracedPath(path, suffix));
  await Deno.remove(directory, { recursive: true });
  return calls.map((call) => [suffix, call]);
}

function tracedPath(path: string, suffix: string): string {
  return suffix === "/.." ? path.slice(0, path.lastIndexOf("/")) : path + suffix;
}

/** Kills the writer at the first, second, … such call until it survives; the number of kills. */
async function killAt([suffix, call]: [string, string]): Promise<number> {
  for (let when = 1;; when++) {
    const directory = await newDirectory();
    const path = `${directory}/network.json`;
    const { code, output } = await acquireInChild(path, 1, {
      path: tracedPath(path, suffix),
      call,
      effect: "signal=KILL",
      when,
    });
    const where = `${call} ${when} on ${suffix || "the document"}: ${output}`;
    if (code === 0) {
      await Deno.remove(directory, { recursive: true });
      assert.ok(when > 1, `nothing was killed: ${where}`);
      return when - 1;
    }
    const found = await loadDocument(path);
    assert.ok(found !== undefined && [2, 3].includes(found.revision), where);
    const store = new FileStore(path, { clock, log: silent });
    const expected = found.revision === 3 ? ["10.5.2.0/24", "10.5.1.0/24"] : ["10.5.1.0/24", "10.5.2.0/24"];
    assert.deepEqual([await subnetOf(store, 2), await subnetOf(store, 1)], expected, where);
    assert.equal((await store.read()).records.length, 3);
    assert.deepEqual(await siblings(path, ".tmp-"), [], where);
    await Deno.remove(directory, { recursive: true });
  }
}

/** A directory with a network in which host 9 has a lease; the document is at revision 2. */
async function newDirectory(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "flan-crash-" });
  const store = new FileStore(`${directory}/network.json`, { clock, log: silent });
  await store.writeConfig(config, 0);
  const value = { PublicIP: "192.168.7.9", PublicIPv6: null };
  await store.create({ key: "10.5.9.0-24", value, node: "node-9", ttl: 3600 });
  return directory;
}

async function subnetOf(store: FileStore, host: number): Promise<string> {
  const claim = {
    node: `node-${host}`,
    publicIp: `192.168.7.${host}`,
    backendType: "",
    backendData: undefined,
    ttl: 60,
  };
  return (await acquire(store, claim, { clock, log: silent })).subnet;
}

for (
  const [call, error] of [["write", "ENOSPC"], ["fsync", "EIO"], ["rename", "EROFS"], [
    "openat",
    "EDQUOT",
  ]] as const
) {
  Deno.test({
    name: `${error} from ${call} is reported and leaves the old document${why}`,
    ignore: missing !== undefined,
    async fn() {
      const directory = await newDirectory();
      const path = `${directory}/network.json`;
      const before = await Deno.readTextFile(path);
      const fault = { path: `${path}.tmp-PID-0`, call, effect: `error=${error}`, when: 1 };
      const { code, output } = await acquireInChild(path, 1, fault);
      assert.equal(code, 1);
      assert.match(output, /^store: Cannot write .*network\.json: .*\(os error \d+\)\n$/);
      assert.equal(await Deno.readTextFile(path), before);
      assert.deepEqual(await siblings(path, ".tmp-"), []);
      await Deno.remove(directory, { recursive: true });
    },
  });
}

Deno.test({
  name: `a full disk is reported, leaves the old document, and is no obstacle once there is space${why}`,
  ignore: missing !== undefined,
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "flan-full-" });
    await command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory);
    try {
      const path = `${directory}/network.json`;
      const store = new FileStore(path, { clock, log: silent });
      await store.writeConfig(config, 0);
      const filler = `${directory}/filler`;
      using file = await Deno.open(filler, { write: true, create: true });
      await assert.rejects(async () => {
        for (;;) await file.write(new Uint8Array(4096));
      });
      const before = await Deno.readTextFile(path);
      const { code, output } = await acquireInChild(path, 1);
      assert.equal(code, 1);
      assert.match(output, /^store: Cannot write .*: No space left on device/);
      assert.equal(await Deno.readTextFile(path), before);
      await Deno.remove(filler);
      file.truncateSync();
      assert.equal(await subnetOf(store, 1), "10.5.1.0/24");
      assert.deepEqual(await siblings(path, ".tmp-"), []);
    } finally {
      await command("umount", "-l", directory);
      await Deno.remove(directory);
    }
  },
});

async function command(name: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
