/** Documents that are not there, and ones that would not be read again. */
import assert from "node:assert/strict";
import { siblings } from "../../../lease/file/durable_file.ts";
import { fails } from "../../conformance/store_suite.ts";
import { bench, config, lease } from "../../lib/store_bench.ts";

Deno.test("a document that is missing beside its backup is reported by readers and restored by a writer", () =>
  bench(async ({ path, store, log }) => {
    await store.writeConfig(config, 0);
    const first = await store.create(lease(1));
    await store.create(lease(2));
    await Deno.remove(path);
    const { message } = await fails(store.read(), "store-damaged");
    assert.match(message, /it is missing \(to start a new network, remove \S+network\.json\.backup, too\)$/);
    await fails(store.writeConfig({ Network: "10.6.0.0/16" }, 0), "conflict");
    assert.deepEqual((await store.read()).records, [first]);
    assert.deepEqual(log.lines.map(({ fields }) => fields?.code), ["store-restored"]);
  }));

Deno.test("a network whose document and backup were removed is gone, whatever once was moved aside", () =>
  bench(async ({ path, store, damage }) => {
    await store.writeConfig(config, 0);
    await store.create(lease(1));
    await damage("cut.json");
    await store.create(lease(2));
    assert.equal((await siblings(path, ".bad-")).length, 1);
    await Deno.remove(path);
    await Deno.remove(`${path}.backup`);
    assert.equal((await store.read()).revision, 0);
    assert.equal((await store.writeConfig(config, 0)).revision, 1);
  }));

Deno.test("a revision that leaves no room for another fails the write and leaves the store readable", () =>
  bench(async ({ path, store }) => {
    const last = 2 ** 52;
    await Deno.writeTextFile(path, `{"schema":"flan.network/v1","revision":${last},"leases":{},"past":{}}`);
    const error = await fails(store.create(lease(1)), "store");
    assert.match(error.message, /its revisions are used up at 4503599627370496$/);
    assert.equal((await store.read()).revision, last);
    await Deno.rename(path, `${path}.backup`);
    await fails(store.create(lease(1)), "store");
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  }));

Deno.test("a document is measured in bytes before it is written", () =>
  bench(async ({ store }) => {
    await store.writeConfig(config, 0);
    const value = "\u20ac".repeat(24 * 2 ** 20);
    const error = await fails(store.create({ ...lease(1), value }), "store");
    assert.match(error.message, /it would be larger than 64 MiB$/);
    assert.equal((await store.read()).revision, 1);
  }));
