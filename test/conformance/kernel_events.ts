/** The kernel suite's cases about `events`. */
import assert from "node:assert/strict";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { add, DEVICE, device, neighbour, nexthop, plainRoute, remove, succeed } from "./kernel_objects.ts";
import type { Register } from "./kernel_suite.ts";

/** Reads events until one satisfies `wanted`, and returns it. */
export async function until(
  events: AsyncIterator<KernelEvent>,
  wanted: (event: KernelEvent) => boolean,
): Promise<KernelEvent> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new assert.AssertionError({ message: "the events ended" });
    if (wanted(value)) return value;
  }
}

export function eventSuite(register: Register): void {
  register("events tell a kernel's own changes from another program's", async (system) => {
    const [mine, other] = [system.kernel(), system.kernel()];
    const stop = new AbortController();
    await succeed(mine, add(device(system)));
    const events = mine.events(stop.signal)[Symbol.asyncIterator]();
    try {
      await succeed(mine, add(plainRoute), add(neighbour), add(nexthop));
      for (const group of ["route", "neighbour", "nexthop"]) {
        const event = await until(events, (event) => event.group === group && event.port !== 0);
        assert.deepEqual([event.action, event.own, event.link], ["new", true, DEVICE]);
        if (group !== "nexthop") continue;
        assert.deepEqual([event.subject, event.to], [String(nexthop.id), nexthop.gateway]);
      }
      await succeed(other, remove(plainRoute));
      const event = await until(events, (event) => event.group === "route");
      assert.deepEqual(
        [event.action, event.own, event.link, event.subject, event.protocol],
        ["delete", false, DEVICE, plainRoute.destination, plainRoute.protocol],
      );
      assert.notEqual(event.port, 0);
    } finally {
      stop.abort();
      await events.return?.();
    }
  });

  register("events count from the call, not from the first look", async (system) => {
    const kernel = system.kernel();
    const stop = new AbortController();
    const events = kernel.events(stop.signal);
    await succeed(kernel, add(device(system)));
    const iterator = events[Symbol.asyncIterator]();
    const event = await until(iterator, (event) => event.group === "link" && event.link === DEVICE);
    assert.equal(event.action, "new");
    stop.abort();
    await iterator.return?.();
  });

  register("a deleted link is announced by name", async (system) => {
    const kernel = system.kernel();
    await succeed(kernel, add(device(system)));
    const stop = new AbortController();
    const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
    await succeed(system.kernel(), remove(device(system)));
    const event = await until(events, (event) => event.group === "link" && event.action === "delete");
    assert.equal(event.link, DEVICE);
    stop.abort();
    await events.return?.();
  });

  register("aborting ends a wait for events, and events that were never looked at", async (system) => {
    const kernel = system.kernel();
    const stop = new AbortController();
    const waited = Array.fromAsync(kernel.events(stop.signal));
    const untouched = kernel.events(stop.signal);
    stop.abort();
    assert.ok(Array.isArray(await waited));
    assert.deepEqual(await Array.fromAsync(untouched), []);
    assert.deepEqual(await Array.fromAsync(kernel.events(stop.signal)), []);
  });

  register(
    "hearing gives the reader all that was announced before, and waits for nobody who does not read",
    async (system) => {
      const [mine, other] = [system.kernel(), system.kernel()];
      await succeed(mine, add(device(system)));
      await mine.hear();
      const stop = new AbortController();
      const events = mine.events(stop.signal);
      const untouched = mine.events(stop.signal)[Symbol.asyncIterator]();
      await mine.hear();
      const heard: KernelEvent[] = [];
      const reading = (async () => {
        for await (const event of events) heard.push(event);
      })();
      for (let i = 0; i < 10; i++) {
        await succeed(other, add(plainRoute));
        await succeed(other, remove(plainRoute));
        await mine.hear();
        const routes = heard.splice(0).filter(({ group }) => group === "route");
        assert.deepEqual(routes.map(({ action, subject }) => [action, subject]), [
          ["new", plainRoute.destination],
          ["delete", plainRoute.destination],
        ]);
      }
      const last = mine.hear();
      stop.abort();
      await reading;
      await last;
      await mine.hear();
      await untouched.return?.();
    },
  );
}
