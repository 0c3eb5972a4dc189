/** What the log calls the cause of a repair. */
import assert from "node:assert/strict";
import { Repairs } from "../../agent/repairs.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { Change } from "../../kernel/kernel.ts";
import type { KernelObject, Link } from "../../kernel/state.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { host, view } from "../lib/overlay.ts";
import { KeptLog } from "../lib/reconciling.ts";

const plan = vxlan.plan(view([2]), host());
const link = plan.objects.find((one): one is Link => one.kind === "link")!;

/** The cause that is told where only the underlay's link was heard of before these changes were made. */
function causeOf(done: readonly Change[]): string | undefined {
  const repairs = new Repairs({ clock: new FakeClock(), log: new KeptLog() });
  repairs.suspect({ group: "link", action: "new", own: false, port: 0, link: "eth0" }, ["flan.1"]);
  const state = new Map();
  repairs.begin();
  repairs.looked();
  const report = { done, conflicts: [], failures: [], waiting: [], state, resynced: true };
  repairs.judge({ report, before: plan, after: plan });
  return repairs.last?.cause;
}

Deno.test("repairs: a link that was made was gone, whatever was heard before", () => {
  assert.equal(causeOf([{ verb: "add", object: link }]), "link flan.1 was gone");
});

Deno.test("repairs: a link that was made anew or set was there", () => {
  const looked = "found by looking, after link eth0 changed";
  assert.equal(causeOf([{ verb: "delete", object: link }, { verb: "add", object: link }]), looked);
  assert.equal(causeOf([{ verb: "replace", object: link }]), looked);
});

Deno.test("repairs: a link that this host itself made is not called the cause of what the next look finds", () => {
  for (const kind of ["link", "address"] as const) {
    const repairs = new Repairs({ clock: new FakeClock(), log: new KeptLog() });
    const look = (object: KernelObject) => {
      repairs.begin();
      repairs.looked();
      const report = { conflicts: [], failures: [], waiting: [], state: new Map(), resynced: true };
      repairs.judge({
        report: { ...report, done: [{ verb: "replace", object }] },
        before: plan,
        after: plan,
      });
    };
    look(plan.objects.find((one) => one.kind === kind)!);
    const { name, mtu, up } = link;
    repairs.suspect({ group: "link", action: "new", own: false, port: 0, link: name, mtu, up }, [name]);
    look(plan.objects.find((one) => one.kind === "fdb")!);
    assert.equal(
      repairs.last?.cause,
      kind === "link" ? "found by looking" : "link flan.1 changed (now mtu 1450)",
    );
  }
});
