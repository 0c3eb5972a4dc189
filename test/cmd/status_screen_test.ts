/** What a person reads of `flan status`. */
import assert from "node:assert/strict";
import { screen, type Status } from "../../cmd/status_screen.ts";

const lease = { subnet: "10.5.1.0/24", device: "flan.1", mtu: 1450, reservation: false };
const problem = {
  code: "store-unreachable",
  subject: "file:/x.json",
  severity: "warning",
  message: "It is away",
  since: "2026-01-01T00:00:00.000Z",
  because: null as string | null,
  remedy: "flan store check",
};

/** At 00:03:18, with a lease that ends at `expires`. */
function shown(
  expires: string | null,
  {
    reservation = false,
    problems = [problem],
    move = undefined as Status["move"],
    half = undefined as { subnet6?: string; device6?: string } | undefined,
  } = {},
): string[] {
  const status = {
    node: "11111111111111aa",
    agent: { running: true, pid: 7 },
    network: "10.5.0.0/16",
    backend: "vxlan",
    ...(half === undefined ? {} : { network6: "fd00:5::/48" }),
    underlay: {
      link: "eth0",
      mtu: 1500,
      publicIp: "192.0.2.1",
      ...(half === undefined ? {} : { publicIp6: "2001:db8::1" }),
    },
    lease: { ...lease, expires, reservation, ...half },
    store: {
      url: "file:/x.json",
      revision: 3,
      reachable: false,
      reachableSince: null,
      lastWord: problem.since,
    },
    peers: { planned: 2, refused: 0, expired: 0 },
    drift: 0,
    repairs: { count: 0, last: null },
    problems,
    ...(move === undefined ? {} : { move }),
    generatedAt: "2026-01-01T00:03:18.500Z",
  } as unknown as Status;
  return screen(status).split("\n");
}

Deno.test("a lease whose time is over is told as ended, and no end that has passed as one to come", () => {
  const end = (expires: string | null, options = {}) =>
    /mtu 1450, (.*)$/.exec(shown(expires, options)[1]!)?.[1];
  assert.equal(end("2026-01-01T00:03:00Z"), "ended 18s ago");
  assert.equal(end("2026-01-01T00:00:00Z"), "ended 3m ago");
  assert.equal(end("2026-01-01T00:03:19Z"), "until 2026-01-01T00:03:19Z");
  assert.equal(end(null), "leased");
  assert.equal(end(null, { reservation: true }), "reserved");
});

Deno.test("a problem is told with how long it has been there, and the store with its last word", () => {
  const lines = shown(null);
  assert.deepEqual(lines.slice(-2), [
    "- store-unreachable  for 3m: It is away",
    "  hint: flan store check",
  ]);
  assert.equal(lines[2], "store   file:/x.json revision 3, unreachable, last word 3m ago");
});

Deno.test("a problem stands below the one that it follows from, once, and without a remedy of its own", () => {
  const follows = (code: string, because: string | null, subject = "x", severity = "warning") => ({
    ...problem,
    code,
    because,
    subject,
    severity,
    message: `${code} ${subject}`,
  });
  const problems = [
    follows("lease-expired", "store-unreachable", "x", "high"),
    follows("underlay-missing", null, "eth0", "high"),
    follows("lease-refused", null, "10.5.2.0/24"),
    follows("store-unreachable", "underlay-missing", "a"),
    follows("store-unreachable", "underlay-missing", "b"),
  ];
  assert.deepEqual(shown(null, { problems }).slice(6), [
    "! underlay-missing  for 3m: underlay-missing eth0",
    "  hint: flan store check",
    "  - store-unreachable  for 3m: store-unreachable a",
    "    ! lease-expired  for 3m: lease-expired x",
    "  - store-unreachable  for 3m: store-unreachable b",
    "- lease-refused  for 3m: lease-refused 10.5.2.0/24",
    "  hint: flan store check",
  ]);
});

Deno.test("a network that moves says from where to where, and who has not, by a few of their subnets", () => {
  const line = (waiting: string[]) =>
    shown(null, { move: { from: ["vxlan", "udp"], to: "host-gw", moved: 2, waiting } }).find((one) =>
      one.startsWith("move")
    );
  const subnets = Array.from({ length: 7 }, (_, i) => `10.5.${i}.0/24`);
  const begin = "move    from vxlan, udp to host-gw: ";
  assert.equal(line([]), `${begin}2 of 2 hosts have moved`);
  assert.equal(line(["10.5.3.0/24"]), `${begin}2 of 3 hosts have moved, not yet 10.5.3.0/24`);
  assert.equal(
    line(subnets),
    `${begin}2 of 9 hosts have moved, not yet ${subnets.slice(0, 5).join(", ")} and 2 more`,
  );
  assert.equal(shown(null).some((one) => one.startsWith("move")), false);
});

Deno.test("dual stack: the IPv6 half of the lease stands below the other, with its device and its address on the underlay", () => {
  const six = { subnet6: "fd00:5:0:1::/64", device6: "flan-v6.1" };
  const [node, first, second, store] = shown(null, { half: six });
  assert.equal(node, "node    11111111111111aa  192.0.2.1 and 2001:db8::1 on eth0 mtu 1500");
  assert.equal(first, "lease   10.5.1.0/24 of 10.5.0.0/16 via vxlan/flan.1 mtu 1450, leased");
  assert.equal(second, "        fd00:5:0:1::/64 of fd00:5::/48 via vxlan/flan-v6.1");
  assert.match(store!, /^store /);
  assert.equal(
    shown(null, { half: { ...six, device6: "" } })[2],
    `        ${six.subnet6} of fd00:5::/48 via vxlan`,
  );
  assert.equal(shown(null, { half: {} })[2], "        none in fd00:5::/48", "a lease that has no such half");
});
