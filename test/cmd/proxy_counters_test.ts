import assert from "node:assert/strict";
import { ratesOf, shownCounters } from "../../cmd/proxy_counters.ts";

Deno.test("counters: traffic is shown whole and first, drops only where there are any", () => {
  const counters = { in_drop_ttl: 3, out_packets: 0, out_drop_ttl: 0, in_packets: 7, later_kind: 1 };
  assert.deepEqual(shownCounters(counters), [
    ["out_packets", 0],
    ["in_packets", 7],
    ["later_kind", 1],
    ["in_drop_ttl", 3],
  ]);
});

Deno.test("counters: rates are per second of the time that passed, also of a proxy that started anew", () => {
  const before = { out_packets: 100, in_packets: 1000 };
  assert.deepEqual(ratesOf(before, { out_packets: 600, in_packets: 1001 }, 500), {
    out_packets: 1000,
    in_packets: 2,
  });
  assert.deepEqual(ratesOf(before, { out_packets: 50, in_packets: 1000, new_one: 4 }, 2000), {
    out_packets: 25,
    in_packets: 0,
    new_one: 2,
  });
  assert.deepEqual(ratesOf({ out_packets: 0 }, { out_packets: 1 }, 0), { out_packets: 1000 });
});
