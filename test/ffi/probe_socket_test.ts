/** The probes' sockets on Linux, by each family: what is sent comes in as it was, whole or not at all. */
import assert from "node:assert/strict";
import { openProbeSocket } from "../../ffi/probe_socket.ts";
import type { Family } from "../../net/ip.ts";
import { KernelError } from "../../net/errors.ts";
import { decodeEchoReply, encodeEcho } from "../../probe/icmp.ts";
import { decode, encode } from "../../probe/packet.ts";
import type { ProbeSocket, Remote } from "../../probe/socket.ts";
import { ip, withSystem } from "./system.ts";

const token = "0011223344556677";
const MTU = 1500;
const loopback = { 4: "127.0.0.1", 6: "::1" } as const;
const missing = { 4: "192.0.2.77:8473", 6: "[2001:db8::77]:8473" } as const;

type Arrived = { readonly how: string; readonly bytes: Uint8Array; readonly from: Remote };

/** Two sockets of one address, and what comes in at either of them next. */
async function opened(family: Family, body: (pair: ReturnType<typeof pairOf>) => Promise<void>) {
  await withSystem(async () => {
    await ip(`link set lo mtu ${MTU}`);
    const pair = pairOf(family);
    try {
      await body(pair);
    } finally {
      for (const { socket } of [pair.one, pair.two]) socket.close();
      await Promise.all([pair.one.running, pair.two.running]);
      await ip("link set lo mtu 65536");
    }
  });
}

function pairOf(family: Family) {
  const address = loopback[family];
  return { address, one: receiving({ address, port: 8473 }), two: receiving({ address, port: 8474 }) };
}

function receiving(at: Remote) {
  const socket: ProbeSocket = openProbeSocket(at);
  const waiting: ((arrived: Arrived) => void)[] = [];
  const take = (arrived: Arrived) => waiting.shift()?.(arrived);
  const running = socket.receive({
    datagram: (bytes, from) => take({ how: "udp", bytes: bytes.slice(), from }),
    echo: (bytes, address) => take({ how: "icmp", bytes: bytes.slice(), from: { address, port: 0 } }),
  });
  return { at, socket, running, next: () => new Promise<Arrived>((resolve) => waiting.push(resolve)) };
}

for (const family of [4, 6] as const) {
  Deno.test(`probe socket, IPv${family}: a full packet arrives whole and undivided, with whom it is from`, () =>
    opened(family, async ({ one, two }) => {
      const probe = { kind: "probe", token, round: 7 } as const;
      const bytes = encode(probe, { family, size: MTU });
      const arriving = two.next();
      assert.equal(one.socket.sendDatagram(bytes, two.at), undefined);
      const arrived = await arriving;
      assert.deepEqual(arrived.from, one.at);
      assert.deepEqual(arrived.bytes, bytes);
      assert.deepEqual(decode(arrived.bytes, family), probe);
    }));

  Deno.test(`probe socket, IPv${family}: the kernel answers an echo of full size, and its reply is read`, () =>
    opened(family, async ({ address, one }) => {
      const arriving = one.next();
      assert.equal(one.socket.sendEcho(encodeEcho(token, { family, size: MTU }), address), undefined);
      const { how, bytes, from } = await arriving;
      assert.deepEqual([how, from.address, decodeEchoReply(bytes, family)], ["icmp", address, token]);
    }));

  Deno.test(`probe socket, IPv${family}: one byte more than the link carries is too long, and is not divided`, () =>
    opened(family, ({ address, one, two }) => {
      const size = MTU + 1;
      const probe = encode({ kind: "probe", token, round: 7 }, { family, size });
      assert.equal(one.socket.sendDatagram(probe, two.at), "EMSGSIZE");
      assert.equal(one.socket.sendEcho(encodeEcho(token, { family, size }), address), "EMSGSIZE");
      return Promise.resolve();
    }));

  Deno.test(`probe socket, IPv${family}: an address that is not there is told with its place`, () =>
    withSystem(() => {
      const address = missing[family].replace(/^\[|\]?:8473$/g, "");
      assert.throws(() => openProbeSocket({ address, port: 8473 }), (error) => {
        assert.ok(error instanceof KernelError);
        assert.equal(error.errno, "EADDRNOTAVAIL");
        assert.ok(error.message.startsWith(`Cannot probe from ${missing[family]}: `), error.message);
        return true;
      });
      return Promise.resolve();
    }));
}
