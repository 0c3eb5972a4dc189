/** Finding the largest packet that passes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { findPathMtu } from "../../probe/path_mtu.ts";

Deno.test("path MTU: the largest that passes is found, and the smallest that does not", async () => {
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 577, max: 9000 }),
    fc.integer({ min: 48, max: 9000 }),
    async (largest, limit) => {
      let tries = 0;
      const found = await findPathMtu({ smallest: 48, largest }, (size) => {
        tries++;
        assert.ok(size <= largest);
        return Promise.resolve(size <= limit);
      });
      const expected = limit >= largest ? { mtu: largest, tooLarge: 0 } : { mtu: limit, tooLarge: limit + 1 };
      assert.deepEqual(found, expected);
      assert.ok(tries <= 30, `${tries} sizes were tried`);
    },
  ));
});

Deno.test("path MTU: one size that is lost by chance makes no hole", async () => {
  let lost = false;
  const found = await findPathMtu({ smallest: 48, largest: 1450 }, (size) => {
    const isLost = size === 1450 && !lost;
    lost ||= isLost;
    return Promise.resolve(!isLost);
  });
  assert.deepEqual(found, { mtu: 1450, tooLarge: 0 });
});

Deno.test("path MTU: a path that is lost meanwhile is not taken for a narrow one", async () => {
  let tries = 0;
  const found = await findPathMtu(
    { smallest: 48, largest: 1450 },
    (size) => Promise.resolve(size <= 1300 && ++tries < 4),
  );
  assert.deepEqual(found, { mtu: 0, tooLarge: 0 });
});
