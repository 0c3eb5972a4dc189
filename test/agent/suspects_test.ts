/** What is called the cause of a repair, and what only went along with it. */
import assert from "node:assert/strict";
import { Suspects } from "../../agent/suspects.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";

const link = (name: string, action: "new" | "delete" = "new"): KernelEvent => ({
  group: "link",
  action,
  own: false,
  port: 0,
  link: name,
});

Deno.test("suspects: another link's change made us look, and is not called the cause", () => {
  const suspects = new Suspects();
  suspects.note(link("eth0"), ["flan.1"]);
  assert.equal(suspects.take(), "found by looking, after link eth0 changed");
  suspects.note(link("eth0"), ["flan.1"]);
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  assert.equal(suspects.take(), "link flan.1 deleted");
  assert.equal(suspects.take(), "found by looking");
});

const proxy = (action: "new" | "delete"): KernelEvent => ({
  group: "proxy",
  action,
  own: false,
  port: 0,
  link: "flan0",
});

Deno.test("suspects: a proxy that stops is named, and not the carrier that its device loses with it", () => {
  const suspects = new Suspects();
  suspects.note(link("flan0"), ["flan0"]);
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note(link("flan0"), ["flan0"]);
  assert.equal(suspects.take(), "proxy of flan0 stopped");
  suspects.note(proxy("new"), ["flan0"]);
  assert.equal(suspects.take(), "proxy of flan0 changed");
});

Deno.test("suspects: a proxy that stops with its device is not called the cause", () => {
  const suspects = new Suspects();
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note(link("flan0", "delete"), ["flan0"]);
  suspects.note(proxy("delete"), ["flan0"]);
  assert.equal(suspects.take(), "link flan0 deleted");
});

Deno.test("suspects: whoever changed the device by name tells more than the proxy", () => {
  const suspects = new Suspects();
  suspects.note(proxy("delete"), ["flan0"]);
  suspects.note({ ...link("flan0"), group: "address", subject: "10.5.1.0/32", port: 4_000_000_000 }, [
    "flan0",
  ]);
  const by = "process 4000000000 (ended, name unknown)";
  assert.equal(suspects.take(), `address 10.5.1.0/32 dev flan0 changed by ${by}`);
});

Deno.test("suspects: a link that was gone tells more than what the kernel announced before", () => {
  const suspects = new Suspects();
  suspects.note(link("eth0"), ["flan.1"]);
  assert.equal(suspects.take("flan.1"), "link flan.1 was gone");
  suspects.note(link("flan.1"), ["flan.1"]);
  assert.equal(suspects.take("flan.1"), "link flan.1 was gone");
  suspects.note(link("flan.1", "delete"), ["flan.1"]);
  assert.equal(suspects.take("flan.1"), "link flan.1 deleted");
  assert.equal(suspects.take("flan.1"), "link flan.1 was gone");
});

Deno.test("suspects: an FDB entry is called so, and nobody is blamed for it", () => {
  const suspects = new Suspects();
  const entry: KernelEvent = {
    group: "neighbour",
    action: "delete",
    own: false,
    port: 0,
    link: "flan.1",
    mac: "02:00:00:00:00:02",
  };
  suspects.note(entry, ["flan.1"]);
  assert.equal(suspects.by, "unknown");
  assert.equal(suspects.take(), "FDB entry 02:00:00:00:00:02 dev flan.1 deleted");
});
