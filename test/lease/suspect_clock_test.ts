/** Hosts whose clocks disagree, and hosts that come back after their lease has expired. */
import assert from "node:assert/strict";
import { acquire } from "../../lease/manager.ts";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import { type Logger, silent } from "../../net/log.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

const DAY = 86_400_000;

function hosts() {
  const shared = new SharedDocument();
  const warnings: string[] = [];
  const log: Logger = {
    log(level, message) {
      if (level === "warning") warnings.push(message);
    },
  };
  const host = (i: number, { ahead = 0 } = {}) => {
    const clock = new FakeClock({ now: Date.UTC(2026, 0, 1) + ahead });
    const claim = {
      node: `node-${i}`,
      publicIp: `192.168.0.${i}`,
      backendType: "vxlan",
      backendData: undefined,
      ttl: 3600,
    };
    const store = new MemoryStore({ clock, shared });
    return { store, join: (to: Logger = log) => acquire(store, claim, { clock, log: to }) };
  };
  return { host, warnings };
}

Deno.test("a host whose clock is days ahead takes nobody's subnet, and is told so once", async () => {
  const { host, warnings } = hosts();
  await host(1).store.writeConfig({ Network: "10.5.0.0/16" }, 0);
  for (const i of [1, 2, 3]) await host(i).join();
  assert.deepEqual(warnings, []);
  assert.equal((await host(4, { ahead: 2 * DAY }).join()).subnet, "10.5.4.0/24");
  assert.equal((await host(1).store.read()).records.length, 4);
  assert.deepEqual(warnings, [
    "All 3 leases of other hosts have expired: either they were all away, or this host's clock is wrong",
  ]);
  // Its own lease is alive now.
  await host(4, { ahead: 2 * DAY }).join();
  assert.equal(warnings.length, 1);
});

Deno.test("a host whose lease has expired gets its subnet again, though it remembers nothing", async () => {
  const { host } = hosts();
  await host(1).store.writeConfig({ Network: "10.5.0.0/16" }, 0);
  for (const i of [1, 2]) await host(i).join();
  await host(3, { ahead: DAY }).join();
  assert.equal((await host(2, { ahead: DAY }).join(silent)).subnet, "10.5.2.0/24");
});

Deno.test("an expired lease is leased to another host only where nothing else is left", async () => {
  const { host } = hosts();
  await host(1).store.writeConfig({ Network: "10.5.0.0/28", SubnetLen: 30, SubnetMin: "10.5.0.0" }, 0);
  const subnets: string[] = [];
  for (const i of [1, 2, 3]) subnets.push((await host(i).join()).subnet);
  for (const i of [4, 5]) subnets.push((await host(i, { ahead: DAY }).join(silent)).subnet);
  assert.deepEqual(subnets, ["10.5.0.0/30", "10.5.0.4/30", "10.5.0.8/30", "10.5.0.12/30", "10.5.0.0/30"]);
  assert.equal((await host(1, { ahead: DAY }).join(silent)).subnet, "10.5.0.4/30");
});

Deno.test("a store that ends leases by its own clock raises no doubt in this host's", async () => {
  class Remote extends MemoryStore {
    override readonly usesLocalClock = false;
  }
  const clock = new FakeClock();
  const store = new Remote({ clock });
  await store.writeConfig({ Network: "10.5.0.0/16" }, 0);
  const log = new KeptLog();
  const join = (i: number) =>
    acquire(store, {
      node: `node-${i}`,
      publicIp: `192.168.0.${i}`,
      backendType: "vxlan",
      backendData: undefined,
      ttl: 60,
    }, { clock, log });
  for (const i of [1, 2, 3]) await join(i);
  await clock.advance(120_000);
  await join(1);
  assert.deepEqual(log.lines.filter(({ level }) => level === "warning"), []);
});
