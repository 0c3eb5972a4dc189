/** A document that is torn, empty, foreign or of a later version is never taken for an empty network. */
import assert from "node:assert/strict";
import { FileStore } from "../../../lease/file/file_store.ts";
import { siblings } from "../../../lease/file/durable_file.ts";
import type { Snapshot } from "../../../lease/store.ts";
import { fails } from "../../conformance/store_suite.ts";
import { bench, config, lease, torn } from "../../lib/store_bench.ts";

for (const name of torn) {
  Deno.test(`a reader reports ${name} and touches nothing`, () =>
    bench(async ({ path, store, damage }) => {
      await damage(name);
      const before = await Deno.readFile(path);
      const error = await fails(store.read(), "store-damaged");
      assert.match(error.message, /^Cannot use .*network\.json: it.*[a-z)"\d]$/);
      assert.deepEqual(await Deno.readFile(path), before);
      assert.deepEqual(await siblings(path, "."), []);
    }));

  Deno.test(`a writer moves ${name} aside and restores the backup`, () =>
    bench(async ({ path, store, log, damage }) => {
      await store.writeConfig(config, 0);
      const first = await store.create(lease(1));
      const lost = await store.create(lease(2));
      await damage(name);
      const bad = await Deno.readFile(path);
      const made = await store.create(lease(3));
      assert.ok(made.revision > lost.revision + 1000);
      const { records, config: found } = await store.read();
      assert.deepEqual(records, [first, made]);
      assert.deepEqual(found?.value, config);
      assert.deepEqual(await siblings(path, ".bad-"), [`${path}.bad-20260101T000000Z`]);
      assert.deepEqual(await Deno.readFile(`${path}.bad-20260101T000000Z`), bad);
      assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields?.code]), [[
        "warning",
        "store-restored",
      ]]);
    }));

  Deno.test(`without a backup a writer leaves ${name} as it is and starts no network`, () =>
    bench(async ({ path, store, damage }) => {
      await damage(name);
      const before = await Deno.readFile(path);
      for (const attempt of [() => store.writeConfig(config, 0), () => store.create(lease(1))]) {
        const error = await fails(attempt(), "store");
        assert.match(error.message, /network\.json\.backup is no help: it does not exist$/);
        assert.match(error.hint!, /remove it and \S+network\.json\.backup to start a new network$/);
      }
      assert.deepEqual(await Deno.readFile(path), before);
      assert.deepEqual(await siblings(path, ".bad-"), []);
      await Deno.remove(path);
      assert.equal((await store.writeConfig(config, 0)).revision, 1);
    }));
}

Deno.test("a file that was moved aside is never overwritten", () =>
  bench(async ({ path, store, damage }) => {
    await store.writeConfig(config, 0);
    await store.create(lease(9));
    for (const [i, name] of torn.slice(0, 3).entries()) {
      await damage(name);
      await store.create(lease(i));
    }
    assert.deepEqual((await siblings(path, ".bad-")).map((bad) => bad.slice(path.length)), [
      ".bad-20260101T000000Z",
      ".bad-20260101T000000Z-2",
      ".bad-20260101T000000Z-3",
    ]);
  }));

Deno.test("a backup that is damaged too is not used", () =>
  bench(async ({ path, store, damage }) => {
    await damage("cut.json");
    await Deno.copyFile(path, `${path}.backup`);
    const error = await fails(store.create(lease(1)), "store");
    assert.match(error.message, /network\.json\.backup is no help: it is not whole JSON/);
  }));

Deno.test("no revision of a lost document is given out twice, however many leases had expired in it", () =>
  bench(async ({ path, store, clock, damage }) => {
    const entries = Array.from({ length: 3000 }, (_, i) => {
      const key = `10.${i >> 8}.${i & 255}.0-24`;
      return `"${key}":{"revision":1,"expires":${clock.now() / 1000 + 1},"value":{}}`;
    });
    await Deno.writeTextFile(
      path,
      `{"schema":"flan.network/v1","revision":3000,"leases":{${entries.join()}},"past":{}}`,
    );
    await clock.advance(1000);
    const lost = await store.create(lease(1));
    assert.equal(lost.revision, 3001);
    await damage("zeros.json");
    assert.ok((await store.create(lease(2))).revision > lost.revision);
  }));

Deno.test("the backup is the document before the last write", () =>
  bench(async ({ path, store }) => {
    await store.writeConfig(config, 0);
    await assert.rejects(Deno.lstat(`${path}.backup`), Deno.errors.NotFound);
    for (let i = 1; i <= 3; i++) {
      const before = await Deno.readTextFile(path);
      await store.create(lease(i));
      assert.equal(await Deno.readTextFile(`${path}.backup`), before);
    }
  }));

Deno.test("a watch lives through damage, says so once, and goes on when the document is whole", () =>
  bench(async ({ path, store, log, damage }) => {
    await store.writeConfig(config, 0);
    await store.create(lease(1));
    const whole = await Deno.readTextFile(path);
    const abort = new AbortController();
    const seen: Snapshot[] = [];
    const waiting = Promise.withResolvers<void>();
    const logged = Promise.withResolvers<void>();
    log.log = (level, message) => {
      log.lines.push({ level, message, fields: undefined });
      logged.resolve();
    };
    const watch = (async () => {
      for await (const snapshot of store.watch(0, abort.signal)) {
        seen.push(snapshot);
        if (seen.length === 1) waiting.resolve();
        else abort.abort();
      }
    })();
    await waiting.promise;
    await damage("cut.json");
    await logged.promise;
    await damage("zeros.json");
    await Deno.writeTextFile(`${path}.new`, whole.replace('"revision":2,\n', '"revision":3,\n'));
    await Deno.rename(`${path}.new`, path);
    await watch;
    assert.deepEqual(seen.map(({ revision }) => revision), [2, 3]);
    assert.equal(log.lines.length, 1);
    // A reader may come between the opening of the file for writing and the writing.
    assert.match(log.lines[0]!.message, /^Cannot use .*network\.json: it is (not whole JSON|empty)/);
  }));

Deno.test("a watch ends with an error when another document takes the place of the watched one", () =>
  bench(async ({ path, store }) => {
    await store.writeConfig(config, 0);
    await store.create(lease(1));
    const iterator = store.watch(0, new AbortController().signal)[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value.revision, 2);
    const next = fails(iterator.next(), "store");
    await Deno.remove(`${path}.backup`);
    await Deno.remove(path);
    assert.match((await next).message, /its revision went back from 2 to 0$/);
  }));

Deno.test("a watch ends with an error when its directory goes away", () =>
  bench(async ({ path, clock, log }) => {
    const directory = `${path}.d`;
    const store = new FileStore(`${directory}/network.json`, { clock, log });
    await store.writeConfig(config, 0);
    const iterator = store.watch(0, new AbortController().signal)[Symbol.asyncIterator]();
    await iterator.next();
    const next = fails(iterator.next(), "store");
    await Deno.remove(directory, { recursive: true });
    await next;
  }));

for (const kind of ["symbolic link", "directory"]) {
  Deno.test(`a ${kind} is no store, and stays as it is`, () =>
    bench(async ({ path, store }) => {
      const target = `${path}.target.json`;
      await Deno.writeTextFile(target, "precious");
      if (kind === "directory") await Deno.mkdir(path);
      else await Deno.symlink(target, path);
      for (const attempt of [() => store.read(), () => store.writeConfig(config, 0)]) {
        const { message } = await fails(attempt(), "store");
        assert.ok(message.endsWith(`it is a ${kind}, a regular file is needed`), message);
      }
      assert.equal(await Deno.readTextFile(target), "precious");
      assert.deepEqual(await siblings(path, ".bad-"), []);
    }));
}

Deno.test("what a killed writer left behind is removed by the next one", () =>
  bench(async ({ path, store }) => {
    await store.writeConfig(config, 0);
    await Deno.writeTextFile(`${path}.tmp-${Deno.pid}-0`, "half");
    await Deno.writeTextFile(`${path}.tmp-1-7`, "");
    await store.create(lease(1));
    assert.deepEqual(await siblings(path, ".tmp-"), []);
  }));

Deno.test("the document can be read by all and the lock opened by its owner alone, whatever the umask", () =>
  bench(async ({ path, store }) => {
    const umask = Deno.umask(0o077);
    try {
      await store.writeConfig(config, 0);
    } finally {
      Deno.umask(umask);
    }
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o644);
    assert.equal((await Deno.stat(`${path}.lock`)).mode! & 0o777, 0o600);
  }));
