/** Which announcements of a link say something new. */
import assert from "node:assert/strict";
import { LinkMemory } from "../../cmd/link_memory.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import type { Link } from "../../kernel/state.ts";

const mac = "02:00:00:00:00:01";
const eth0: Link = { kind: "link", name: "eth0", type: "veth", alias: "", mac, mtu: 1500, up: true };
const told: KernelEvent = {
  ...{ group: "link", action: "new", own: false, port: 0, link: "eth0" },
  ...{ mtu: 1500, up: true, linkMac: mac, details: "{}" },
};

Deno.test("link memory: a link that is announced as it was says nothing, whatever of it changes does", () => {
  const links = new LinkMemory([eth0]);
  assert.equal(links.take(told), "same", "as it was when the watch began");
  for (const change of [{ mtu: 1400 }, { up: false }, { linkMac: "" }, { details: "[]" }]) {
    assert.equal(links.take({ ...told, ...change }), "changed", JSON.stringify(change));
    assert.equal(links.take(told), "changed", "and back");
    assert.equal(links.take(told), "same");
  }
  assert.equal(links.take({ ...told, link: "wan", former: "eth0" }), "changed");
  assert.equal(links.take({ ...told, link: "wan" }), "same");
});

Deno.test("link memory: a link that is made is coming until it is up, and one that goes down is not", () => {
  const links = new LinkMemory([eth0]);
  assert.equal(links.take({ ...told, action: "delete" }), "changed");
  assert.equal(links.take({ ...told, up: false }), "coming");
  assert.equal(links.take({ ...told, up: false, details: "[]" }), "coming");
  assert.equal(links.take(told), "changed");
  assert.equal(links.take({ ...told, up: false }), "changed");
});

Deno.test("link memory: what is about no link is always new", () => {
  const links = new LinkMemory([]);
  const route: KernelEvent = { ...told, group: "route", subject: "10.5.2.0/24" };
  assert.deepEqual([links.take(route), links.take(route)], ["changed", "changed"]);
});
