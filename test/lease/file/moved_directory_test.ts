/** A store whose directory is moved, replaced or mounted over while somebody watches it. */
import assert from "node:assert/strict";
import { FileStore } from "../../../lease/file/file_store.ts";
import type { Snapshot } from "../../../lease/store.ts";
import { silent } from "../../../net/log.ts";
import { fails } from "../../conformance/store_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

const lease = { key: "10.5.1.0-24", value: { PublicIP: "192.168.0.1" }, node: "node-1", ttl: undefined };

interface Bench {
  readonly directory: string;
  readonly store: FileStore;
  readonly clock: FakeClock;
  /** The rest of a watch that has yielded the first snapshot. */
  watch(): Promise<AsyncIterator<Snapshot>>;
}

async function bench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const above = await Deno.makeTempDir({ prefix: "flan-moved-" });
  const directory = `${above}/store`;
  const clock = new FakeClock();
  const store = new FileStore(`${directory}/network.json`, { clock, log: silent });
  const watch = async () => {
    const iterator = store.watch(0, new AbortController().signal)[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value.revision, 1);
    return iterator;
  };
  try {
    await store.writeConfig({ Network: "10.5.0.0/16" }, 0);
    await run({ directory, store, clock, watch });
  } finally {
    await Deno.remove(above, { recursive: true });
  }
}

Deno.test("a watch ends with an error when another directory is put in place of its own", () =>
  bench(async ({ directory, clock, watch }) => {
    const iterator = await watch();
    const next = fails(iterator.next(), "store");
    await clock.untilSleeping();
    await Deno.rename(directory, `${directory}.away`);
    await Deno.mkdir(directory);
    await clock.advance(30_000);
    await next;
  }));

const mountMissing = Deno.uid() === 0 ? "" : " (skipped: needs root)";
Deno.test({
  name: `a watch ends with an error when a file system is mounted over its directory${mountMissing}`,
  ignore: mountMissing !== "",
  fn: () =>
    bench(async ({ directory, store, clock, watch }) => {
      const iterator = await watch();
      const next = fails(iterator.next(), "store");
      await clock.untilSleeping();
      await command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory);
      try {
        await store.writeConfig({ Network: "10.6.0.0/16" }, 0);
        await clock.advance(30_000);
        const { message } = await next;
        assert.match(message, /^Cannot watch directory \S+: another directory is in its place$/);
      } finally {
        await command("umount", "-l", directory);
      }
    }),
});

Deno.test("neither a watch nor a write that expects something makes the directory", () =>
  bench(async ({ directory, store }) => {
    await Deno.rename(directory, `${directory}.away`);
    const watching = store.watch(1, new AbortController().signal)[Symbol.asyncIterator]();
    await fails(watching.next(), "store");
    await fails(store.update(lease, 1), "conflict");
    await fails(store.remove(lease.key, 1), "conflict");
    await fails(store.writeConfig({ Network: "10.5.0.0/16" }, 1), "conflict");
    await Deno.rename(`${directory}.away`, directory);
    assert.equal((await store.read()).revision, 1);
  }));

async function command(name: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
