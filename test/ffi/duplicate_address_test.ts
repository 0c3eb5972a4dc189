/** An address of IPv6 that another host on the link has, too, as the kernel finds by its own asking. */
import assert from "node:assert/strict";
import { findUnderlay } from "../../agent/underlay.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { until } from "../lib/until.ts";
import { ip, openSystem } from "./system.ts";

const SHARED = "2001:db8::1/64";

Deno.test({
  name: "an address that the other end of the link has is told as a duplicate, with a sentence",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    const system = await openSystem();
    try {
      const kernel = system.kernel();
      await ip(`address add ${SHARED} dev under1 nodad`);
      await ip(`address add ${SHARED} dev under0`);
      let objects: readonly KernelObject[] = [];
      await until("the kernel has asked", async () => {
        objects = await kernel.dump({ links: [], sysctls: [] });
        return objects.some((one) => one.kind === "address" && one.duplicate === true);
      });
      const found = objects.filter((one) => one.kind === "address" && one.address === SHARED);
      assert.deepEqual(
        new Set(found),
        new Set([
          { kind: "address", link: "under0", address: SHARED, passing: true, duplicate: true },
          { kind: "address", link: "under1", address: SHARED },
        ]),
      );
      const wish = { objects, wishes: ["under0"], publicIp: undefined, publicIp6: undefined };
      await assert.rejects(findUnderlay(kernel, { ...wish, families: [6] }), {
        message: "Cannot choose the underlay interface: --iface under0 fits no link with an IPv6 address; " +
          "2001:db8::1 on under0 is a duplicate: another host on that link has it; " +
          "links with an IPv6 address: under1 (2001:db8::1)",
      });
    } finally {
      await system.close();
    }
  },
});
