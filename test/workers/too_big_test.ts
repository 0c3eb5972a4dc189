/** What happens to packets that do not fit the way to a host, and what their senders are told. */
import assert from "node:assert/strict";
import { NEEDS_CHECKSUM, type Offload, TCP4 } from "../packets/library.ts";
import { filler, tcp, udp, word } from "../packets/packets.ts";
import { reassemble } from "../packets/reference.ts";
import { calls, carry, counted, forwarded, frame, hex, inOrder, opened, peers, type Told } from "./worker.ts";

const first = { source: [10, 244, 1, 5], destination: [10, 244, 2, 7] };
const second = { source: [10, 244, 1, 5], destination: [10, 244, 3, 7] };
const offload: Offload = {
  flags: NEEDS_CHECKSUM,
  type: TCP4,
  headers: 40,
  size: 1000,
  start: 20,
  offset: 16,
};

/** Eight segments, and one packet behind them that fits. */
const behind = udp(filler(300), { ...first, from: 9 });
const burst = [frame(tcp(filler(8000), first), offload), frame(behind)];
/** To another host: what happens to the first one's must not matter to it. */
const other = udp(filler(77), second);

/** The MTU that "fragmentation needed" tells of, for each. */
const told4 = (told: Told) =>
  told.messages.filter(({ call, packets }) =>
    call === "icmp" && packets[0]![20] === 3 && packets[0]![21] === 4
  )
    .map(({ to, packets }) => [to, word(packets[0]!, 26)]);

/** A way with this MTU, as Linux has it: longer datagrams are refused, also in segments. */
const narrow = (mtu: number) => [
  `mtu ${mtu}`,
  `refuse sendmmsg any EMSGSIZE over=${mtu - 28} to=${peers.first}`,
  `refuse sendto any EMSGSIZE over=${mtu - 28} to=${peers.first}`,
];

Deno.test("too big: with DF its sender is told how much fits, once a message, and not for another flow's sake", async () => {
  const told = await carry([...opened(), ...narrow(900), ...burst, frame(other), "out"]);
  assert.deepEqual(told4(told), [["10.244.1.5:0", 872]]);
  assert.deepEqual(counted(told), { out_drop_too_big: 8, icmp_sent: 1 });
  assert.deepEqual(inOrder(told), hex([forwarded(behind), forwarded(other)]));
});

Deno.test("too big: two flows in one message are both told", async () => {
  const one = udp(filler(1200), first);
  const two = udp(filler(1200), { ...first, source: [10, 244, 1, 6] });
  const told = await carry([...opened(), ...narrow(900), frame(one), frame(two), frame(two), "out"]);
  assert.deepEqual(told4(told), [["10.244.1.5:0", 872], ["10.244.1.6:0", 872]]);
  assert.deepEqual(counted(told), { out_drop_too_big: 3, icmp_sent: 2 });
});

Deno.test("too big: without DF it goes in fragments that fit and make the same packet again", async () => {
  const packets = [1400, 1400, 900].map((length, i) =>
    udp(filler(length, i), { ...first, fragment: 0, id: i })
  );
  const told = await carry([...opened(), ...narrow(600), ...packets.map((packet) => frame(packet)), "out"]);
  const fragments = told.messages.flatMap(({ packets }) => packets);
  assert.ok(fragments.every(({ length }) => length <= 572));
  packets.forEach((packet, id) => {
    const own = fragments.filter((fragment) => word(fragment, 4) === id);
    assert.deepEqual(reassemble(own), forwarded(packet));
  });
  assert.equal(told.counters.out_packets, fragments.length);
  assert.deepEqual(counted(told), {});
});

Deno.test("too big: a way that has become wider meanwhile takes the packet as it is", async () => {
  const packet = udp(filler(1200), first);
  const told = await carry([
    ...opened(),
    "mtu 1500",
    "refuse sendmmsg any EMSGSIZE",
    "refuse sendto any EMSGSIZE times=1",
    frame(packet),
    "out",
  ]);
  assert.deepEqual(inOrder(told), [forwarded(packet).toHex()]);
  assert.deepEqual(counted(told), {});
});

Deno.test("too big: where nobody knows what fits, it is dropped, and nothing is told that is not known", async () => {
  const packet = udp(filler(1200), first);
  const free = udp(filler(1200), { ...first, fragment: 0 });
  const reasons = [
    ...["socket", "getsockname", "bind", "connect", "getsockopt"].map((call) => `refuse ${call} any EINVAL`),
    "mtu 1500",
    "mtu 28",
    "mtu 95",
    "mtu 0",
  ];
  for (const reason of reasons) {
    const told = await carry([...opened(), ...narrow(900), reason, frame(packet), frame(free), "out"]);
    assert.deepEqual([reason, told.messages, counted(told)], [reason, [], { out_drop_too_big: 2 }]);
  }
});

Deno.test("too big: the kernel is asked once for many packets, and again after a while", async () => {
  const packets = [frame(udp(filler(1200), first)), frame(udp(filler(1300), first))];
  const asked = async (between: readonly string[]) =>
    calls(
      await carry([...opened(), ...narrow(900), ...packets, "out", ...between, ...packets, "out"]),
      "connect",
    )
      .length;
  assert.equal(await asked([]), 1);
  assert.equal(await asked(["now 1000099000000"]), 1);
  assert.equal(await asked(["now 1000100000000"]), 2);
});

Deno.test("too big: many flows are not told because others use all messages up, nor the other way", async () => {
  const strays = Array.from(
    { length: 60 },
    () => frame(udp(filler(9), { ...first, destination: [10, 9, 9, 9] })),
  );
  const told = await carry([...opened(), ...narrow(900), ...strays, frame(udp(filler(1200), first)), "out"]);
  assert.deepEqual(told4(told), [["10.244.1.5:0", 872]]);
  assert.deepEqual(counted(told), {
    icmp_sent: 51,
    icmp_limited: 10,
    out_drop_no_route: 60,
    out_drop_too_big: 1,
  });
});

Deno.test("told: a raw socket that refuses costs only the message", async () => {
  const told = await carry([...opened(), "refuse icmp any EPERM", ...narrow(900), ...burst, "out"]);
  assert.deepEqual(counted(told), { out_drop_too_big: 8 });
  assert.deepEqual(inOrder(told), [forwarded(behind).toHex()]);
});

Deno.test("too big: what is known of the way to one host is not taken for another's", async () => {
  const told = await carry([
    ...opened(),
    "mtu 900",
    "refuse sendmmsg any EMSGSIZE over=872",
    "refuse sendto any EMSGSIZE over=872",
    frame(udp(filler(1200), first)),
    frame(udp(filler(1200), second)),
    "out",
  ]);
  assert.equal(calls(told, "connect").length, 2);
});
