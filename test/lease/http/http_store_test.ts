import assert from "node:assert/strict";
import { documentSuite } from "../../conformance/document_suite.ts";
import { config, lease, until, watching } from "../../conformance/store_case.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { ServedStore, telling } from "./served.ts";

documentSuite({
  name: "http",
  open: async () => {
    const clock = new FakeClock();
    const served = await ServedStore.start(() => ({ clock: telling(() => clock.now()) }));
    return {
      clock,
      open: () => served.store({ clock }),
      interrupt: () => served.restart(),
      close: () => served[Symbol.asyncDispose](),
    };
  },
});

Deno.test("a watch goes on with a backup that was put back, and with other leases at the same revision", async () => {
  await using served = await ServedStore.start();
  await served.local().writeConfig(config, 0);
  const { revision } = await served.local().create(lease(1));
  const backup = Deno.readTextFileSync(served.path);
  await served.local().create(lease(2));
  const put = (text: string) => {
    Deno.writeTextFileSync(`${served.dir}/new`, text);
    Deno.renameSync(`${served.dir}/new`, served.path);
  };
  await watching(served.store(), 0, async (next) => {
    assert.equal((await next()).records.length, 2);
    put(backup);
    const restored = await next();
    assert.deepEqual([restored.revision, restored.records.length], [revision, 1]);
    const moved = backup.replace("192.168.0.1", "192.168.0.77");
    put(moved);
    assert.deepEqual((await next()).records[0]?.value, {
      ...lease(1).value as object,
      PublicIP: "192.168.0.77",
    });
    put(moved.replace("10.5.0.0", "10.5.0.1"));
    await until(next, ({ config }) => JSON.stringify(config).includes("10.5.0.1"));
  });
});
