import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { dump } from "../../ffi/dump.ts";
import { errnoNumber } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { NetlinkRequests } from "../../ffi/netlink_requests.ts";
import { FlanError } from "../../net/errors.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { message, refusal, type Reply, scripted } from "./scripted_socket.ts";

libc();
libnl();

const [NLMSG_ERROR, NLMSG_DONE, RTM_GETNEXTHOP] = [2, 3, 106];
const path = new URL("../../fixtures/netlink/linux-6.18.json", import.meta.url);
const recorded: { messages: { kind: string; object: KernelObject | null; message: string }[] } = JSON.parse(
  Deno.readTextFileSync(path),
);
/** Kinds by the RTM_GET… number and address family that asks for them. */
const asked: Readonly<Record<number, string>> = { 18: "link", 22: "address", 106: "nexthop", 26: "route" };

/** Answers every dump with the recorded messages of its kind, but for the types in `refused`. */
function replay(
  refused: Readonly<Record<number, string>>,
  edit: (bytes: Uint8Array) => void = () => {},
): Reply {
  return ([sequence], [type]) => {
    const errno = refused[type!];
    if (errno !== undefined) {
      const payload = refusal(errnoNumber(errno)!, 24);
      return [message(NLMSG_ERROR, { sequence: sequence!, payload })];
    }
    const rows = recorded.messages.filter(({ kind }) => kind === asked[type!]).map(({ message }) => {
      const bytes = Uint8Array.from(message.match(/../g) ?? [], (pair) => parseInt(pair, 16));
      new DataView(bytes.buffer).setUint32(8, sequence!, true);
      edit(bytes);
      return bytes;
    });
    return [...rows, message(NLMSG_DONE, { sequence: sequence!, payload: new Uint8Array(4) })];
  };
}

async function dumped(reply: Reply): Promise<readonly KernelObject[]> {
  const requests = new NetlinkRequests(systemClock, scripted(...Array.from({ length: 20 }, () => reply)));
  try {
    return await dump(requests, { links: [], sysctls: [] });
  } finally {
    requests.close();
  }
}

const expected = recorded.messages.filter(({ kind }) => Object.values(asked).includes(kind))
  .map(({ object }) => object);

Deno.test("dump: every table of a recorded kernel is read, each route once", async () => {
  assert.deepEqual(await dumped(replay({})), expected);
});

/** RTM_NEWADDR of an address on lo: `struct ifaddrmsg` with these flags, and IFA_ADDRESS. */
function newAddress(
  sequence: number,
  { bytes, flags }: { bytes: readonly number[]; flags: number },
): Uint8Array {
  const [AF_INET, AF_INET6, RTM_NEWADDR, IFA_ADDRESS] = [2, 10, 20, 1];
  const family = bytes.length === 16 ? AF_INET6 : AF_INET;
  const head = [family, bytes.length * 4, flags, 0, 1, 0, 0, 0];
  const payload = Uint8Array.from([...head, bytes.length + 4, 0, IFA_ADDRESS, 0, ...bytes]);
  return message(RTM_NEWADDR, { sequence, payload });
}

Deno.test("dump: an IPv6 address that is temporary, tentative, deprecated or a duplicate is told as passing, the last also as that", async () => {
  const RTM_GETADDR = 22;
  const ipv6 = [0x20, 0x01, 0x0d, 0xb8, ...new Array(11).fill(0), 1];
  const marks = async (bytes: readonly number[], flags: number) => {
    const reply: Reply = (sequences, types) =>
      types[0] === RTM_GETADDR
        ? [
          newAddress(sequences[0]!, { bytes, flags }),
          message(NLMSG_DONE, { sequence: sequences[0]!, payload: new Uint8Array(4) }),
        ]
        : replay({})(sequences, types);
    const [address] = (await dumped(reply)).filter(({ kind }) => kind === "address");
    assert.ok(address?.kind === "address");
    return [address.passing, address.duplicate];
  };
  // A duplicate keeps the mark of a tentative one.
  for (const flags of [0x01, 0x08, 0x20, 0x40, 0x48, 0x81]) {
    const isDuplicate = (flags & 0x08) !== 0;
    assert.deepEqual(await marks(ipv6, flags), [true, isDuplicate || undefined], `${flags}`);
    const ipv4 = await marks([192, 0, 2, 1], flags);
    assert.deepEqual(ipv4, [undefined, undefined], "of IPv4 these mean something else");
  }
  const lasting = await marks(ipv6, 0x82);
  assert.deepEqual(lasting, [undefined, undefined], "permanent, without detection of duplicates");
});

Deno.test("dump: a kernel without nexthop objects is unsupported and told which Linux has them", async () => {
  for (const errno of ["EOPNOTSUPP", "EINVAL"]) {
    await assert.rejects(dumped(replay({ [RTM_GETNEXTHOP]: errno })), (error) => {
      assert.ok(error instanceof FlanError);
      assert.equal(error.code, "unsupported");
      assert.match(error.message, new RegExp(`^Cannot read nexthops: .*\\(${errno}\\): .*Linux 5\\.3$`));
      return true;
    });
  }
});

Deno.test("dump: any other refusal stays what it is", async () => {
  await assert.rejects(dumped(replay({ 26: "ENOMEM" })), { errno: "ENOMEM", code: "kernel" });
});

Deno.test("dump: a kernel that names only the nexthop's id still gives gateway and link of a route", async () => {
  // net.ipv4.nexthop_compat_mode=0: no RTA_GATEWAY, no RTA_OIF. Their numbers are changed to unknown ones.
  const idOnly = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer);
    if (view.getUint16(4, true) !== 24) return;
    const found: number[] = [];
    let onNexthop = false;
    for (let at = 28; at + 4 <= bytes.length;) {
      const type = view.getUint16(at + 2, true);
      if (type === 30) onNexthop = true;
      if (type === 4 || type === 5) found.push(at);
      at += (view.getUint16(at, true) + 3) & ~3;
    }
    if (onNexthop) found.forEach((at) => view.setUint16(at + 2, 50, true));
  };
  assert.deepEqual(await dumped(replay({}, idOnly)), expected);
});

Deno.test("dump: messages of another type are not taken for rows", async () => {
  const wrong = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer);
    if (view.getUint16(4, true) === 24) view.setUint16(4, 25, true);
  };
  const seen = await dumped(replay({}, wrong));
  assert.deepEqual(seen, expected.filter((object) => object?.kind !== "route"));
});
