/** The kernel suite's cases about the checksum offload of a VXLAN device. */
import assert from "node:assert/strict";
import type { Kernel } from "../../kernel/kernel.ts";
import { keyOf, type Link } from "../../kernel/state.ts";
import { until } from "./kernel_events.ts";
import { add, DEVICE, device, onDevice, present, remove, replace, succeed } from "./kernel_objects.ts";
import type { KernelSystem, Register } from "./kernel_suite.ts";

const off = (system: KernelSystem): Link => ({ ...device(system), txChecksum: false });
const on = (system: KernelSystem): Link => ({ ...device(system), txChecksum: true });

async function asked(kernel: Kernel): Promise<unknown> {
  const objects = await kernel.dump({ links: [], sysctls: [], txChecksums: [DEVICE, "missing0"] });
  return objects.find((object) => keyOf(object) === `link ${DEVICE}`);
}

export function txChecksumSuite(register: Register): void {
  register(
    "a VXLAN device offloads checksums unless it is made without, and tells whoever asks",
    async (system) => {
      const kernel = system.kernel();
      await succeed(kernel, add(device(system)));
      assert.deepEqual(await asked(kernel), on(system));
      await present(kernel, device(system));
      await succeed(kernel, remove(device(system)), add(off(system)));
      assert.deepEqual(await asked(kernel), off(system));
      await present(kernel, device(system));
    },
  );

  register(
    "the checksum offload is switched in place, and stays where nothing is said about it",
    async (system) => {
      const kernel = system.kernel();
      await succeed(kernel, add(device(system)), ...onDevice.map(add));
      for (const wanted of [off(system), { ...off(system), mtu: 1400 }, on(system), off(system)]) {
        await succeed(kernel, replace(wanted));
        assert.deepEqual(await asked(kernel), wanted);
      }
      await succeed(kernel, replace({ ...device(system), mtu: 1300 }));
      assert.deepEqual(await asked(kernel), { ...off(system), mtu: 1300 });
      await present(kernel, ...onDevice);
    },
  );

  register("somebody else's switch of the checksum offload is announced", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(off(system)));
    const stop = new AbortController();
    const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
    await succeed(system.kernel(), replace(on(system)));
    const event = await until(events, (event) => event.group === "link" && event.link === DEVICE);
    assert.deepEqual([event.action, event.own], ["new", false]);
    stop.abort();
    await events.return?.();
  });
}
