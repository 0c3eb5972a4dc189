/** Requests against a scripted kernel: interrupted dumps, lost, late and malformed answers. */
import assert from "node:assert/strict";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { errnoNumber } from "../../ffi/errno.ts";
import { NetlinkRequests } from "../../ffi/netlink_requests.ts";
import { message, refusal, type Reply, scripted } from "./scripted_socket.ts";
import { systemClock } from "../../agent/clock.ts";

libc();
libnl();

const [ENOBUFS, EEXIST, EINTR] = ["ENOBUFS", "EEXIST", "EINTR"].map((e) => errnoNumber(e)!);
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const DUMP_INTR = 0x10;
const CAPPED = 0x100;
const TLVS = 0x200;
const ROW = 24;

/** An extended acknowledgement's NLMSGERR_ATTR_MSG "No." */
const said = [8, 0, 1, 0, 0x4e, 0x6f, 0x2e, 0];

async function withScript(replies: Reply[], body: (requests: NetlinkRequests) => unknown): Promise<number> {
  const socket = scripted(...replies);
  const requests = new NetlinkRequests(systemClock, socket);
  try {
    await body(requests);
  } finally {
    requests.close();
  }
  assert.ok(socket.closed);
  return socket.sent;
}

/** Dumps and returns the payloads' first bytes. */
async function rows(requests: NetlinkRequests, empty: string[] = []): Promise<number[]> {
  let seen: number[] = [];
  await requests.dump({
    what: "read rows",
    type: ROW + 2,
    empty,
    begin: () => seen = [],
    encode: (_, start) => start(new Uint8Array(8)),
    visit: (parser, message) => seen.push(parser.headU8(message, 0)),
  });
  return seen;
}

const row = (value: number, sequence: number | undefined, flags = 0) =>
  message(ROW, { flags, sequence: sequence ?? 0, payload: Uint8Array.of(value, 0, 0, 0) });
const end = (sequence: number | undefined, flags = 0) =>
  message(NLMSG_DONE, { flags, sequence: sequence ?? 0, payload: new Uint8Array(4) });

/** Builds two messages and sends them as one batch. */
function transactTwo(requests: NetlinkRequests) {
  requests.builder.start({ type: ROW, flags: 1 }, new Uint8Array(4));
  const one = requests.builder.finish().slice();
  return requests.transact(new Uint8Array([...one, ...one]), [0, one.length]);
}

Deno.test("requests: an interrupted dump is read again, and what it gave is forgotten", async () => {
  const sent = await withScript([
    ([s]) => [row(1, s), row(2, s, DUMP_INTR), end(s)],
    ([s]) => [row(3, s), end(s, DUMP_INTR)],
    ([s]) => [row(4, s), row(5, s), end(s)],
  ], async (requests) => assert.deepEqual(await rows(requests), [4, 5]));
  assert.equal(sent, 3);
});

Deno.test("requests: a dump that is interrupted every time is given up with a reason", async () => {
  const always: Reply = ([s]) => [row(1, s, DUMP_INTR), end(s)];
  const sent = await withScript(
    Array.from({ length: 50 }, () => always),
    (requests) =>
      assert.rejects(rows(requests), /Cannot read rows: the table changed during each of 10 attempts/),
  );
  assert.equal(sent, 10);
});

Deno.test("requests: the answer to an earlier request is not taken for this one's", async () => {
  await withScript([
    ([s]) => [row(9, s! + 100), row(1, s), end(s! + 100), end(s)],
  ], async (requests) => assert.deepEqual(await rows(requests), [1]));
});

Deno.test("requests: a dump may end in an error, in either form, and some errors mean that there is nothing", async () => {
  const done =
    (errno: number): Reply => ([s]) => [message(NLMSG_DONE, { sequence: s!, payload: refusal(errno, 0) })];
  const refused = (errno: number): Reply => ([s]) => [
    message(NLMSG_ERROR, { sequence: s!, payload: refusal(errno, 16) }),
  ];
  for (const reply of [done(2), refused(2)]) {
    await withScript([reply], (requests) => assert.rejects(rows(requests), { errno: "ENOENT" }));
    await withScript([reply], async (requests) => assert.deepEqual(await rows(requests, ["ENOENT"]), []));
  }
});

Deno.test("requests: a dump without an end, one with a lost datagram and one that is cut off are errors", async () => {
  await withScript([([s]) => [row(1, s)]], (requests) => assert.rejects(rows(requests), /ended too early/));
  await withScript(
    [([s]) => [row(1, s), -ENOBUFS!]],
    (requests) => assert.rejects(rows(requests), { errno: "ENOBUFS" }),
  );
  await withScript(
    [() => [message(NLMSG_ERROR, { sequence: 1 })]],
    (requests) => assert.rejects(rows(requests), /too short/),
  );
});

Deno.test("requests: only the last message of a batch asks for an acknowledgement", () => {
  const socket = scripted(([, b]) => [message(NLMSG_ERROR, { sequence: b!, payload: refusal(0, 20) })]);
  const requests = new NetlinkRequests(systemClock, socket);
  transactTwo(requests);
  requests.close();
  const [NLM_F_REQUEST, NLM_F_ACK] = [1, 4];
  assert.deepEqual(socket.flags, [NLM_F_REQUEST, NLM_F_REQUEST | NLM_F_ACK]);
});

Deno.test("requests: a failure finds its message, with the kernel's sentence", async () => {
  await withScript(
    [
      ([a, b]) => [
        message(NLMSG_ERROR, { sequence: a!, flags: CAPPED | TLVS, payload: refusal(EEXIST!, 20, said) }),
        message(NLMSG_ERROR, { sequence: b!, payload: refusal(0, 20) }),
      ],
    ],
    (requests) =>
      assert.deepEqual(transactTwo(requests), [{ errno: EEXIST, text: "No" }, { errno: 0, text: "" }]),
  );
});

Deno.test("requests: an extended acknowledgement behind the whole request is found too", async () => {
  // Without CAPPED, the request's payload (4 bytes here) stands before the attributes.
  const payload = refusal(EINTR!, 20, [0, 0, 0, 0, ...said]);
  await withScript(
    [
      ([a, b]) => [
        message(NLMSG_ERROR, { sequence: a!, flags: TLVS, payload }),
        message(NLMSG_ERROR, { sequence: b!, flags: TLVS, payload: refusal(EINTR!, 4_000_000, said) }),
      ],
    ],
    (requests) =>
      assert.deepEqual(transactTwo(requests), [{ errno: EINTR, text: "No" }, { errno: EINTR, text: "" }]),
  );
});

Deno.test("requests: where answers were lost, no change counts as done", async () => {
  await withScript([
    ([a]) => [message(NLMSG_ERROR, { sequence: a!, payload: refusal(EEXIST!, 20) }), -ENOBUFS!],
    ([, b]) => [message(NLMSG_ERROR, { sequence: b!, payload: refusal(0, 20) })],
  ], (requests) => {
    const lost = transactTwo(requests).map(({ errno }) => errno);
    assert.deepEqual(lost, [EEXIST, ENOBUFS]);
    assert.deepEqual(transactTwo(requests).map(({ errno }) => errno), [0, 0]);
  });
});

Deno.test("requests: a batch that cannot be sent fails as a whole", async () => {
  const socket = { ...scripted(), send: () => -ENOBUFS! };
  const requests = new NetlinkRequests(systemClock, socket);
  assert.deepEqual(transactTwo(requests).map(({ errno }) => errno), [ENOBUFS, ENOBUFS]);
  await assert.rejects(rows(requests), { errno: "ENOBUFS" });
  requests.close();
});
