import assert from "node:assert/strict";
import { closeFd, libc, sendto, socket } from "../../ffi/libc.ts";
import { errnoNumber } from "../../ffi/errno.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { run } from "./system.ts";

libc();

const EAGAIN = errnoNumber("EAGAIN")!;

Deno.test("netlink socket: a datagram from another process than the kernel is dropped", () => {
  const receiver = new NetlinkSocket({ receiveBuffer: 65536, groups: [] });
  const [AF_NETLINK, SOCK_RAW_CLOEXEC] = [16, 3 | 0o2000000];
  const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
  try {
    const address = new Uint8Array(12);
    new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
    new DataView(address.buffer).setUint32(4, receiver.port, true);
    assert.equal(sendto(fd, new Uint8Array(16), { flags: 0, address }), 16);
    assert.equal(receiver.receive(new Uint8Array(64)), -EAGAIN);
  } finally {
    closeFd(fd);
    receiver.close();
  }
});

Deno.test("netlink socket: a closed one answers EBADF, though its number is another descriptor's now", () => {
  const first = new NetlinkSocket({ receiveBuffer: 65536, groups: [] });
  first.close();
  const second = new NetlinkSocket({ receiveBuffer: 65536, groups: [] });
  assert.equal(second.fd, first.fd);
  assert.equal(first.send(new Uint8Array(16)), -errnoNumber("EBADF")!);
  assert.equal(first.receive(new Uint8Array(16)), -errnoNumber("EBADF")!);
  first.close();
  assert.equal(second.receive(new Uint8Array(16)), -EAGAIN);
  second.close();
});

Deno.test("netlink socket: a group that does not exist cannot be subscribed to, and leaves no descriptor", () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = count();
  assert.throws(() => new NetlinkSocket({ receiveBuffer: 65536, groups: [9999] }), {
    message: /^Cannot subscribe netlink socket: Invalid argument \(EINVAL\)$/,
  });
  assert.equal(count(), before);
});

Deno.test("netlink socket: programs that are started do not inherit it", async () => {
  const opened = new NetlinkSocket({ receiveBuffer: 65536, groups: [1] });
  try {
    const inherited = await run("sh", "-c", `ls /proc/self/fd`);
    assert.equal(inherited.split("\n").includes(String(opened.fd)), false);
  } finally {
    opened.close();
  }
});
