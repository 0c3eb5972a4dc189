/** A packet's source: whether it gets as far as the route, and that the route is judged as it sees it. */
import assert from "node:assert/strict";
import { firstBreak } from "../../../kernel/explain/explain.ts";
import type { WayFacts } from "../../../kernel/explain/way.ts";
import { found, host9, IP, near, refused, steps } from "../../lib/ways.ts";

const container = {
  address: "10.5.1.7",
  kind: "subnet",
  link: "cni0",
  query: { source: "10.5.1.7", incoming: "cni0" },
  rpFilter: 1,
} as const;
const sources: readonly (readonly [name: string, source: WayFacts["source"], state: string, note: RegExp])[] =
  [
    ["of a container goes on", { ...container, lookup: found(near) }, "ok", /^$/],
    [
      "of a container is filtered",
      { ...container, lookup: refused("EXDEV", "") },
      "wrong",
      /^rp_filter=1 of cni0 drops it/,
    ],
    [
      "of a container is not forwarded",
      { ...container, lookup: refused("EHOSTUNREACH", "") },
      "wrong",
      /does not forward/,
    ],
    [
      "of a container is not forwarded, which the route's look-up does not say for IPv6",
      { ...container, isCutOff: true, lookup: found(near) },
      "wrong",
      /^this host forwards no packet: net\.ipv4\.ip_forward is 0$/,
    ],
    [
      "has no link yet",
      { ...container, link: undefined, lookup: found(near) },
      "missing",
      /no link has this host's subnet/,
    ],
    [
      "of a container comes in by a link that is down",
      { ...container, isDown: true, lookup: found(near) },
      "wrong",
      /^cni0 is down$/,
    ],
    ["is a stranger's", { ...container, kind: "stranger", lookup: found(near) }, "wrong", /neither/],
    ["is this host's own", { ...container, kind: "local", lookup: found(near) }, "ok", /^$/],
  ];

for (const [name, source, state, note] of sources) {
  Deno.test(`explain: a packet whose source ${name}`, () => {
    const all = steps("vxlan", { facts: { source } });
    assert.deepEqual([all[0]?.what, all[0]?.state], ["source", state]);
    assert.match(all[0]?.note ?? "", note);
  });
}

Deno.test("explain, udp: the peer drops what this host sends from outside its subnet, unless nobody checks", () => {
  const from = (address: string, CheckSource = true) => {
    const source = { ...container, address, kind: "local", lookup: found(near) } as const;
    return steps("udp", {
      facts: { source },
      plan: (all) => all.map((one) => one.kind === "proxy" ? { ...one, checkSource: CheckSource } : one),
    })[0];
  };
  const dropped = from("192.0.2.1");
  assert.deepEqual([dropped?.what, dropped?.state], ["source", "wrong"]);
  assert.match(dropped?.note ?? "", /in_drop_source: .* 10\.5\.1\.0\/24, such as 10\.5\.1\.\d$/);
  assert.equal(from("10.5.1.1")?.state, "ok");
  assert.equal(from("192.0.2.1", false)?.state, "ok");
});

Deno.test("explain: that containers' packets are not forwarded is told of a way that the host's own go", () => {
  const all = steps("vxlan", { facts: { cutOff: "cni0" } });
  assert.equal(firstBreak(all), undefined);
  const [{ what, state, note, prove } = assert.fail()] = all;
  assert.deepEqual([what, state, prove], ["forwarding", "skipped", "sysctl net.ipv4.ip_forward"]);
  assert.match(note!, /containers on cni0 are dropped: sysctl -w net\.ipv4\.ip_forward=1$/);
  const source = { ...container, kind: "local", lookup: found(near) } as const;
  assert.deepEqual(steps("vxlan", { facts: { cutOff: "cni0", source } })[0]?.what, "source");
  assert.deepEqual(steps("vxlan").filter((one) => one.what === "forwarding"), []);
});

Deno.test("explain: the route is judged as the source's packets see it", () => {
  const source = { ...container, lookup: found(host9) };
  const broken = firstBreak(steps("vxlan", { facts: { source } }));
  assert.deepEqual([broken?.what, broken?.state], ["route", "foreign"]);
  assert.equal(broken?.prove, `ip route get fibmatch ${IP} from 10.5.1.7 iif cni0`);
});
