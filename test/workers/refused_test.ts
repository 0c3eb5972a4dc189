/** What happens to messages that the kernel does not send as they are. */
import assert from "node:assert/strict";
import { NEEDS_CHECKSUM, type Offload, TCP4 } from "../packets/library.ts";
import { filler, tcp, udp } from "../packets/packets.ts";
import { referenceSplit } from "../packets/reference.ts";
import { calls, carry, counted, forwarded, frame, hex, inOrder, opened, peers, sent } from "./worker.ts";

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
