/** What ESP adds, in UDP and by itself, as it is planned and as it is explained. */
import assert from "node:assert/strict";
import { ipsec } from "../../backends/ipsec.ts";
import { espRoom, overheadOf } from "../../kernel/encapsulation.ts";
import { sizeStep } from "../../kernel/explain/underlay.ts";
import type { WayFacts } from "../../kernel/explain/way.ts";
import { keyOf, type Link } from "../../kernel/state.ts";
import { ipsecHost, ipsecView } from "../lib/overlay.ts";
import { found, near } from "../lib/ways.ts";

Deno.test("ESP: what is planned for a device is what the underlay carries, and no byte less", () => {
  for (const isInUdp of [false, true]) {
    for (const underlay of [1400, 1497, 1500, 9000]) {
      const room = espRoom(underlay, { family: 4, isInUdp });
      // RFC 4303, 2.4: what is encrypted ends with 2 bytes on a boundary of 4.
      const sent = (inner: number) => 20 + (isInUdp ? 8 : 0) + 8 + 8 + 4 * Math.ceil((inner + 2) / 4) + 16;
      assert.ok(sent(room) <= underlay && sent(room + 1) > underlay, `${underlay}`);
    }
  }
});

for (
  const [UDPEncap, text] of [[false, "1446 + 54 = 1500 <= 1500"], [true, "1438 + 62 = 1500 <= 1500"]] as const
) {
  Deno.test(`explain: the size of ESP ${UDPEncap ? "in UDP" : "by itself"} is ${text}`, () => {
    const { objects, peers } = ipsec.plan(ipsecView([2], { UDPEncap }), ipsecHost());
    const eth0: Link = { kind: "link", name: "eth0", type: "", alias: "", mac: "", mtu: 1500, up: true };
    const lookup = found(near);
    const facts: Partial<WayFacts> = {
      wanted: objects.filter((object) => peers[0]!.keys.includes(keyOf(object))),
      actual: [...objects, eth0],
      mtu: 0,
      lookup,
      underlay: { remote: "192.0.2.2", link: "eth0", query: {}, lookup, mtu: 0, neighbour: undefined },
    };
    assert.equal(sizeStep(facts as WayFacts).text, text);
    const link = objects.find((one) => one.kind === "link")!;
    assert.equal(overheadOf(link, { outer: 4, isInUdp: UDPEncap }), UDPEncap ? 62 : 54);
  });
}
