/** The etcd watch in an outage: its cause as it is now, and its end as soon as anybody finds it. */
import assert from "node:assert/strict";
import type { Gateway } from "../../../lease/etcd/gateway.ts";
import { config, lease } from "../../conformance/store_case.ts";
import { FlanError } from "../../../net/errors.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

/** Longer than the longest pause between attempts. */
const OUTAGE_MS = 300_000;

/** Runs `work` while a store is watched; what it is told is noted. */
async function watched(
  network: ReturnType<typeof fakeNetwork>,
  work: (parts: {
    gateway: ReturnType<typeof network.etcd.gateway>;
    store: ReturnType<typeof network.openOn>;
    troubles: string[];
  }) => Promise<void>,
): Promise<void> {
  const gateway = network.etcd.gateway();
  const store = network.openOn(gateway);
  await store.writeConfig(config, 0);
  await store.create(lease(1, { ttl: 10_000_000 }));
  const { revision } = await store.read();
  const over = new AbortController();
  const troubles: string[] = [];
  const troubled = (error: FlanError | undefined) => troubles.push(error?.message ?? "well");
  const following = Array.fromAsync(store.watch(revision, over.signal, { troubled }));
  await network.clock.turn();
  try {
    await work({ gateway, store, troubles });
  } finally {
    over.abort();
    await following;
  }
}

Deno.test("a watch that waits for its next attempt goes on when the store has answered another call", async () => {
  const network = fakeNetwork();
  await watched(network, async ({ gateway, store, troubles }) => {
    gateway.reach = "away";
    await network.clock.advance(OUTAGE_MS);
    gateway.reach = "well";
    const now = network.clock.monotonic();
    await store.read();
    for (let i = 0; i < 20; i++) await network.clock.turn();
    assert.equal(network.clock.monotonic(), now);
    assert.equal(troubles.at(-1), "well");
  });
});

Deno.test("a watch in trouble tells each cause as it comes, and the same one once", async () => {
  const network = fakeNetwork();
  await watched(network, async ({ gateway, troubles }) => {
    let why = "its answer broke off";
    // deno-lint-ignore require-yield -- it breaks before it says anything
    const failing: Gateway["watch"] = async function* () {
      await Promise.resolve();
      throw new FlanError(`Cannot watch: ${why}`, { op: "store.watch", code: "store" });
    };
    gateway.breakStreams();
    Object.assign(gateway, { watch: failing });
    await network.clock.advance(OUTAGE_MS);
    const before = troubles.length;
    why = "connection refused";
    await network.clock.advance(OUTAGE_MS);
    assert.deepEqual(troubles.slice(before), ["Cannot watch: connection refused"]);
    assert.equal(troubles.filter((one) => one.endsWith("broke off")).length, 1);
    Reflect.deleteProperty(gateway, "watch");
  });
});
