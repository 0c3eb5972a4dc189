/** Which refusals of the kernel keep a host from joining an ipsec network, and which are one peer's. */
import assert from "node:assert/strict";
import { requireJoined } from "../../../agent/health/problems.ts";
import { ipsec } from "../../../backends/ipsec.ts";
import type { Change } from "../../../kernel/kernel.ts";
import type { Report } from "../../../kernel/reconcile.ts";
import { type KernelObject, keyOf } from "../../../kernel/state.ts";
import { KernelError } from "../../../net/errors.ts";
import { ipsecHost, ipsecView } from "../../lib/overlay.ts";

const { objects } = ipsec.plan(ipsecView([2, 3]), ipsecHost());

/** What comes of a join where the kernel refuses these. */
function join(refuses: (object: KernelObject) => boolean, verb: Change["verb"] = "add"): void {
  const failures = objects.filter(refuses).map((object) => ({
    change: { verb, object },
    error: new KernelError(`Cannot ${verb} ${object.kind}`, "EPERM", { op: "kernel.apply" }),
  }));
  assert.notEqual(failures.length, 0);
  const state: Report["state"] = new Map(
    objects.map((one) => [keyOf(one), refuses(one) ? "missing" : "ok"]),
  );
  requireJoined({ done: [], conflicts: [], failures, waiting: [], state, resynced: true }, { objects });
}

const isOfPeer = (n: number, object: KernelObject) =>
  (object.kind === "xfrm-state" || object.kind === "xfrm-policy") &&
  [object.source, object.destination].some((one) => [`192.0.2.${n}`, `10.5.${n}.0/24`].includes(one));

Deno.test("join: a policy that is to keep out what comes in clear has to stand", () => {
  const blocks = (one: KernelObject) => one.kind === "xfrm-policy" && one.action === "block";
  assert.throws(() => join(blocks), /Cannot add xfrm-policy/);
  const own = (one: KernelObject) => one.kind === "xfrm-policy" && one.action === "pass";
  assert.throws(() => join(own), /Cannot add xfrm-policy/);
});

Deno.test("join: what the kernel refuses of one peer's states and policies keeps nobody from joining", () => {
  join((one) => isOfPeer(2, one));
});

Deno.test("join: a kernel that takes no peer's state, or no peer's policy, keeps its host from joining", () => {
  assert.throws(() => join(({ kind }) => kind === "xfrm-state"), /Cannot add xfrm-state/);
  const tunnels = (one: KernelObject) => one.kind === "xfrm-policy" && one.action === "tunnel";
  assert.throws(() => join(tunnels), /Cannot add xfrm-policy/);
  join(({ kind }) => kind === "xfrm-state", "delete");
});
