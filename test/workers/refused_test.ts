/** What happens to packets that the kernel does not send as they are, and what their senders are told. */
import assert from "node:assert/strict";
import { NEEDS_CHECKSUM, type Offload, TCP4 } from "../packets/library.ts";
import { filler, tcp, udp, word } from "../packets/packets.ts";
import { reassemble, referenceSplit } from "../packets/reference.ts";
import { carry, forwarded, frame, hex, opened, peers, sent, type Told } from "./worker.ts";

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

/** Eight segments, and one packet behind them. */
const bulk = tcp(filler(8000), first);
const segments = referenceSplit(offload, forwarded(bulk));
const behind = udp(filler(300), { ...first, from: 9 });
const burst = [frame(bulk, offload), frame(behind)];
const all = hex([...segments, forwarded(behind)]);
/** To another host: what happens to the first one's must not matter to it. */
const other = udp(filler(77), second);

const calls = (told: Told, what: string) => told.events.filter((event) => event.startsWith(what));
const counted = ({ counters }: Told) =>
  Object.fromEntries(Object.entries(counters).filter(([name]) => /drop|icmp/.test(name)));

/** All packets, in the order in which they were sent, in one way or the other. */
const inOrder = (told: Told) =>
  hex(told.messages.filter(({ call }) => call !== "icmp").flatMap(({ packets }) => packets));

for (const error of ["EIO", "EINVAL", "EMSGSIZE"]) {
  Deno.test(`refused: ${error} for segments: each is sent singly, byte for byte, and in order`, async () => {
    const told = await carry([
      ...opened(),
      `refuse sendmmsg segmented ${error}`,
      ...burst,
      frame(other),
      "out",
    ]);
    assert.deepEqual(inOrder(told), [...all, forwarded(other).toHex()]);
    assert.deepEqual(sent(told), [forwarded(other).toHex()]);
    assert.equal(told.counters.out_packets, 10);
    assert.equal(told.counters.out_messages, 10);
    assert.deepEqual(counted(told), {});
  });
}

Deno.test("refused: the next message is tried as one again: another way may take it", async () => {
  const told = await carry([
    ...opened(),
    "refuse sendmmsg segmented EIO times=1",
    ...burst,
    "out",
    ...burst,
    "out",
  ]);
  assert.deepEqual(told.messages.map(({ packets }) => packets.length), [1, 1, 1, 1, 1, 1, 1, 1, 1, 9]);
  assert.deepEqual(inOrder(told), [...all, ...all]);
});

Deno.test("refused: what sendmmsg takes only a part of is sent in as many calls as it needs", async () => {
  const packets = Array.from({ length: 10 }, (_, i) => udp(filler(100 + i, i), first));
  const told = await carry([...opened(), "most 3", ...packets.map((packet) => frame(packet)), "out"]);
  assert.deepEqual(calls(told, "sendmmsg"), [
    "sendmmsg 3 of 10",
    "sendmmsg 3 of 7",
    "sendmmsg 3 of 4",
    "sendmmsg 1 of 1",
  ]);
  assert.deepEqual(sent(told), hex(packets.map(forwarded)));
  assert.equal(told.counters.out_packets, 10);
});

Deno.test("refused: one message in the middle is dealt with alone, and those before and behind are sent once", async () => {
  const packets = Array.from({ length: 5 }, (_, i) => udp(filler(100 + i, i), first));
  const told = await carry([
    ...opened(),
    "refuse sendmmsg any EPERM times=1 skip=2",
    ...packets.map((packet) => frame(packet)),
    "out",
  ]);
  assert.deepEqual(sent(told), hex(packets.filter((_, i) => i !== 2).map(forwarded)));
  assert.deepEqual(counted(told), { out_drop_refused: 1 });
});

Deno.test("refused: a full socket is waited for, and then all is sent", async () => {
  const told = await carry([...opened(), "refuse sendmmsg any EAGAIN times=3", ...burst, "out"]);
  assert.deepEqual(calls(told, "poll"), ["poll room ready", "poll room ready", "poll room ready"]);
  assert.deepEqual(inOrder(told), all);
  assert.deepEqual(counted(told), {});
});

Deno.test("refused: a socket that is full in the middle of a message sent singly is waited for, too", async () => {
  const told = await carry([
    ...opened(),
    "refuse sendmmsg segmented EIO",
    "refuse sendto any EAGAIN times=2 skip=3",
    "refuse sendto any EINTR times=2 skip=1",
    ...burst,
    "out",
  ]);
  assert.deepEqual(calls(told, "poll"), ["poll room ready", "poll room ready"]);
  assert.deepEqual(inOrder(told), all);
  assert.deepEqual(counted(told), {});
});

Deno.test("refused: a signal while sending changes nothing", async () => {
  const told = await carry([...opened(), "refuse sendmmsg any EINTR times=4", ...burst, "out"]);
  assert.deepEqual(inOrder(told), all);
  assert.deepEqual(calls(told, "poll"), []);
});

for (const error of ["ENOBUFS", "EPERM", "EACCES", "ENOMEM"]) {
  Deno.test(`refused: ${error} drops all packets of the message, tells nobody, and the next one goes`, async () => {
    const told = await carry([
      ...opened(),
      `refuse sendmmsg segmented ${error}`,
      ...burst,
      frame(other),
      "out",
    ]);
    assert.deepEqual(inOrder(told), [forwarded(other).toHex()]);
    assert.deepEqual(counted(told), { out_drop_refused: 9 });
  });
}

for (const error of ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "ENETDOWN", "EHOSTDOWN"]) {
  Deno.test(`refused: ${error} is told to the sender as "host unreachable", once a message`, async () => {
    const told = await carry([
      ...opened(),
      `refuse sendmmsg any ${error} to=${peers.first}`,
      ...burst,
      frame(other),
      "out",
    ]);
    assert.deepEqual(sent(told), [forwarded(other).toHex()]);
    assert.deepEqual(counted(told), { out_drop_unreachable: 9, icmp_sent: 1 });
    const [message] = told.messages.filter(({ call }) => call === "icmp");
    const icmp = message!.packets[0]!;
    assert.equal(message!.to, "10.244.1.5:0");
    assert.deepEqual([...icmp.subarray(12, 16), ...icmp.subarray(20, 22)], [10, 244, 1, 0, 3, 1]);
    assert.deepEqual(icmp.subarray(28), segments[0]!.subarray(0, 548));
  });
}

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
