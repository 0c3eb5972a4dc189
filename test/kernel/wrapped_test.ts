import assert from "node:assert/strict";
import type { Change, Kernel } from "../../kernel/kernel.ts";
import { wrapped } from "../../kernel/wrapped.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";

/** A kernel that notes what it is asked, and with what. */
function asked(): { kernel: Kernel; calls: unknown[][] } {
  const [calls, inner]: [unknown[][], FakeKernel] = [[], new FakeKernel()];
  const kernel = new Proxy(inner, {
    get: (_, verb: keyof Kernel) => (...args: unknown[]) => {
      calls.push([verb, ...args]);
      return Reflect.apply(inner[verb], inner, args);
    },
  });
  return { kernel, calls };
}

Deno.test("a wrapped kernel is handed all that it is asked, with every word of the question", async () => {
  const { kernel: inner, calls } = asked();
  const kernel = wrapped(inner, {});
  const request = { links: [], sysctls: [] };
  const changes: readonly Change[] = [];
  const { signal } = new AbortController();
  const query = { source: "192.0.2.1", outgoing: "eth0" };
  await kernel.require(["vxlan"]);
  await kernel.dump(request);
  await kernel.apply(changes);
  kernel.events(signal);
  await kernel.hear();
  await kernel.routeGet("192.0.2.7", query);
  await kernel.routeMatch("192.0.2.7", query);
  kernel.close();
  assert.deepEqual(calls, [
    ["require", ["vxlan"]],
    ["dump", request],
    ["apply", changes],
    ["events", signal],
    ["hear"],
    ["routeGet", "192.0.2.7", query],
    ["routeMatch", "192.0.2.7", query],
    ["close"],
  ]);
});

Deno.test("what goes around a kernel answers in its place for what it names", async () => {
  const { kernel: inner, calls } = asked();
  const kernel = wrapped(inner, { require: () => Promise.resolve() });
  await kernel.require(["vxlan"]);
  await kernel.hear();
  assert.deepEqual(calls, [["hear"]]);
});
