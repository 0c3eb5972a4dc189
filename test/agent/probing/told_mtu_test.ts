import assert from "node:assert/strict";
import { toldMtu } from "../../../agent/probing/told_mtu.ts";
import type { Kernel, RouteAnswer } from "../../../kernel/kernel.ts";
import { KernelError } from "../../../net/errors.ts";

const answer: RouteAnswer = { link: "eth0", gateway: "", source: "192.0.2.1", mtu: 0 };

Deno.test("the path MTU that the kernel was told is that of packets with this source", async () => {
  const kernel: Pick<Kernel, "routeGet"> = {
    routeGet: (to, { source } = {}) =>
      Promise.resolve({ ...answer, mtu: to === "192.0.2.2" && source === "192.0.2.1" ? 1400 : 0 }),
  };
  assert.equal(await toldMtu(kernel, "192.0.2.2", { source: "192.0.2.1" }), 1400);
  assert.equal(await toldMtu(kernel, "192.0.2.2", { source: "192.0.2.9" }), 0);
});

Deno.test("where no way leads the kernel was told nothing", async () => {
  const refused = new KernelError("Cannot look up: No route (EHOSTUNREACH)", "EHOSTUNREACH", { op: "test" });
  const kernel = (error: Error): Pick<Kernel, "routeGet"> => ({ routeGet: () => Promise.reject(error) });
  assert.equal(await toldMtu(kernel(refused), "192.0.2.2", { source: "192.0.2.1" }), 0);
  await assert.rejects(toldMtu(kernel(new TypeError("a defect")), "192.0.2.2", { source: "192.0.2.1" }));
});
