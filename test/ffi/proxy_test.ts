/** The data plane of the udp backend on Linux: its descriptors, its thread, and packets through it. */
import assert from "node:assert/strict";
import { errnoNumber } from "../../ffi/errno.ts";
import { closeFd, recvfrom, sendto } from "../../ffi/libc.ts";
import { readable } from "../../ffi/readable.ts";
import { counterNames, type OpenProxy, openProxy, requireProxyLibrary } from "../../ffi/proxy.ts";
import { openRawSocket, openUdpSocket, socketAddress } from "../../ffi/udp_socket.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ProxySettings } from "../../kernel/state.ts";
import { KernelError } from "../../net/errors.ts";
import { ip, run, withSystem } from "./system.ts";

const missing = whyNot();

function whyNot(): string | undefined {
  try {
    Deno.statSync("/dev/net/tun");
    // Opened here because libraries stay open: inside a test it would count as its leak.
    requireProxyLibrary();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const settings: ProxySettings = {
  link: "flan0",
  address: "192.0.2.1",
  port: 8285,
  subnet: "10.5.1.0/24",
  source: "10.5.1.0",
  checkSource: true,
  queues: 1,
};

const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;

/** Runs `body` where there is a TUN link with a route for 10.5.0.0/16; as many descriptors are open afterwards. */
function test(name: string, body: (kernel: Kernel) => Promise<void>, { multiQueue = false } = {}): void {
  Deno.test({
    name: `proxy data plane: ${name}${missing === undefined ? "" : ` (${missing})`}`,
    ignore: missing !== undefined,
    fn: () =>
      withSystem(async (_, kernel) => {
        const link = {
          kind: "link",
          name: "flan0",
          type: "tun",
          alias: "flan test",
          mac: "",
          mtu: 1472,
          up: true,
          tun: { multiQueue, queueLength: 1000 },
        } as const;
        assert.deepEqual(await kernel.apply([{ verb: "add", object: link }]), []);
        await ip("address add 10.5.1.0/32 dev flan0");
        await ip("route add 10.5.0.0/16 dev flan0");
        const before = descriptors();
        await body(kernel);
        assert.equal(descriptors(), before, "every descriptor was given back");
      }),
  });
}

/** Opens one, and closes it however `body` ends. */
async function withProxy(
  change: Partial<ProxySettings>,
  body: (proxy: OpenProxy) => Promise<void>,
): Promise<void> {
  const proxy = openProxy({ ...settings, ...change }, [["10.5.2.0/24", "192.0.2.7", 9000]]);
  try {
    await body(proxy);
  } finally {
    await proxy.close();
  }
}

/** A UDP socket of another host, whose address stands on this one too. */
async function withPeer(body: (fd: number) => Promise<void>): Promise<void> {
  await ip("address add 192.0.2.7/32 dev under0");
  const fd = openUdpSocket({ address: "192.0.2.7", port: 9000, shared: false });
  assert.ok(fd >= 0);
  try {
    await body(fd);
  } finally {
    closeFd(fd);
  }
}

async function receive(fd: number): Promise<Uint8Array> {
  await readable(fd);
  const buffer = new Uint8Array(2000);
  const length = recvfrom(fd, buffer, { flags: 0, address: new Uint8Array(16) });
  assert.ok(length >= 0, String(length));
  return buffer.subarray(0, length);
}

function send(fd: number, bytes: Uint8Array<ArrayBuffer>): void {
  // struct sockaddr_in, see ffi/udp_socket.ts
  const address = Uint8Array.of(2, 0, 8285 >> 8, 8285 & 255, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.equal(sendto(fd, bytes, { flags: 0, address }), bytes.length);
}

/** Resolves when the counter is `value`. */
async function counted(proxy: OpenProxy, name: string, value: number): Promise<void> {
  while (proxy.counters()[name] !== value) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * What ping sends, and ping, which ends with the first reply. It sends again and again: the kernel drops what a device is
 * given until it has noted that somebody reads it, which is late on a busy machine.
 */
async function pinged(peer: number, words: string) {
  const ping = run("ping", ...words.split(" "), "-c1", "-w60", "-i0.2");
  const packet = await Promise.race([receive(peer), ping]);
  assert.ok(typeof packet !== "string", "a reply came before anybody gave one");
  return { packet, ping };
}

test("packets go out as datagrams to where the routes say, and the answers come in", async () => {
  await withPeer((peer) =>
    withProxy({}, async (proxy) => {
      const { packet, ping } = await pinged(peer, "-s32 10.5.2.9");
      assert.equal(packet.subarray(16, 20).join("."), "10.5.2.9");
      const reply = Uint8Array.from(packet);
      reply.set(packet.subarray(16, 20), 12);
      reply.set(packet.subarray(12, 16), 16);
      // Echo request to reply (RFC 792), and the ICMP checksum with it; the addresses changed places only.
      reply[20] = 0;
      const view = new DataView(reply.buffer);
      const sum = view.getUint16(22) + 0x0800;
      view.setUint16(22, (sum & 0xffff) + (sum >> 16));
      send(peer, reply);
      assert.match(await ping, /1 received/);
      // A packet is counted a moment after it was handed over.
      await counted(proxy, "in_packets", 1);
      assert.ok(proxy.counters()["out_packets"]! >= 1);
      proxy.change([["10.5.3.0/24", "192.0.2.7", 9000]], ["10.5.2.0/24"]);
      await assert.rejects(run("ping", "-c1", "-W5", "10.5.2.9"));
      await counted(proxy, "out_drop_no_route", 1);
    })
  );
});

test("what is wrong with what comes in is counted by reason, and settings are taken while it runs", async () => {
  await withPeer((peer) =>
    withProxy({}, async (proxy) => {
      send(peer, Uint8Array.of(1, 2, 3));
      await counted(proxy, "in_drop_short", 1);
      const packet = new Uint8Array(20);
      packet.set([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 10, 5, 9, 9, 10, 5, 1, 1]);
      const view = new DataView(packet.buffer);
      let sum = 0;
      for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
      view.setUint16(10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
      send(peer, packet);
      await counted(proxy, "in_drop_source", 1);
      proxy.configure({ ...settings, checkSource: false });
      send(peer, packet);
      await counted(proxy, "in_packets", 1);
      proxy.configure({ ...settings, checkSource: false, subnet: "10.5.8.0/24" });
      send(peer, packet);
      await counted(proxy, "in_drop_destination", 1);
    })
  );
});

test("closing ends the thread, keeps the counters, and may be asked for twice", async () => {
  const proxy = openProxy(settings, []);
  assert.deepEqual(Object.keys(proxy.counters()), counterNames());
  const [first, second] = await Promise.all([proxy.close(), proxy.close()]);
  assert.deepEqual(first, second);
  assert.equal(await proxy.ended, undefined);
  assert.deepEqual(proxy.counters(), first);
  assert.deepEqual(proxy.features(), []);
});

test("a device that is deleted ends it with a sentence", async (kernel) => {
  await withProxy({}, async (proxy) => {
    await ip("link delete flan0");
    const error = await proxy.ended;
    assert.ok(error instanceof KernelError);
    assert.equal(error.errno, "EBADFD");
    assert.equal(
      error.message,
      "The UDP proxy at 192.0.2.1:8285 carries nothing any more: the device flan0 was deleted (EBADFD)",
    );
    await kernel.dump({ links: [], sysctls: [] });
  });
});

test("what cannot be opened is a sentence with its errno, and nothing stays open", async () => {
  const cannot = (change: Partial<ProxySettings>) => {
    try {
      openProxy({ ...settings, ...change }, []);
    } catch (error) {
      assert.ok(error instanceof KernelError);
      return [error.errno, error.message];
    }
    throw new Error("it was opened");
  };
  const start = "Cannot start the UDP proxy at";
  assert.deepEqual(cannot({ address: "192.0.2.99" }), [
    "EADDRNOTAVAIL",
    `${start} 192.0.2.99:8285: Cannot assign requested address (EADDRNOTAVAIL)`,
  ]);
  assert.deepEqual(cannot({ link: "flan9" }), [
    "ENODEV",
    `${start} 192.0.2.1:8285: a queue of flan9 cannot be opened, No such device (ENODEV)`,
  ]);
  assert.deepEqual(cannot({ queues: 2 })[0], "EINVAL", "the device has one queue");
  await withPeer(() => {
    assert.equal(cannot({ address: "192.0.2.7", port: 9000 })[0], "EADDRINUSE");
    return Promise.resolve();
  });
  await withProxy({}, () => {
    assert.equal(cannot({ port: 9001 })[0], "EBUSY");
    return Promise.resolve();
  });
});

test("several queues share a port with one another, and with nobody else", async () => {
  await withProxy({ queues: 4 }, (proxy) => {
    assert.ok(proxy.features().length > 0);
    assert.throws(() => openProxy({ ...settings, queues: 2 }, []), { errno: "EADDRINUSE" });
    return Promise.resolve();
  });
}, { multiQueue: true });

test("of the features only those are tried that are wanted", async () => {
  for (const features of [[], ["udp-gro"], ["tun-offload", "join-tcp"]] as const) {
    const proxy = openProxy(settings, [], { features });
    assert.ok(proxy.features().every((name) => (features as readonly string[]).includes(name)));
    await proxy.close();
  }
});

test("one that is closed takes nothing, and says so", async () => {
  const proxy = openProxy(settings, []);
  await proxy.close();
  assert.throws(() => proxy.change([], []), { errno: "EBADF" });
  assert.throws(() => proxy.configure(settings), { errno: "EBADF" });
});

test("a bad route or setting throws, and nothing stays open", async () => {
  assert.throws(() => openProxy(settings, [["10.5.2.0", "192.0.2.7", 9000]]));
  await withProxy({}, (proxy) => {
    assert.throws(() => proxy.change([["10.5.2.1/24", "192.0.2.7", 9000]], []), { errno: "EINVAL" });
    return Promise.resolve();
  });
});

test("sockets are closed on exec and non-blocking", () => {
  const fds = [openUdpSocket({ address: "192.0.2.1", port: 9000, shared: true }), openRawSocket(4)];
  for (const fd of fds) {
    const flags = parseInt(/^flags:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`))![1]!, 8);
    assert.equal(flags & 0o2004000, 0o2004000);
  }
  const other = openUdpSocket({ address: "192.0.2.1", port: 9000, shared: false });
  assert.equal(other, -errnoNumber("EADDRINUSE")!);
  for (const fd of fds) closeFd(fd);
  return Promise.resolve();
});

const settings6: ProxySettings = {
  ...settings,
  address: "2001:db8::1",
  subnet: "fd00:5:0:1::/64",
  source: "fd00:5:0:1::",
};

test("IPv6 packets go out as they are in UDP over IPv6, their answers come in, and errors are told", async () => {
  for (
    const line of [
      "address add 2001:db8::1/64 dev under0 nodad",
      "address add 2001:db8::7/128 dev under0 nodad",
      "address add fd00:5:0:1::/128 dev flan0 nodad",
      "link set flan0 mtu 1452",
      "-6 route add fd00:5::/48 dev flan0",
    ]
  ) await ip(line);
  const peer = openUdpSocket({ address: "2001:db8::7", port: 9000, shared: false });
  const ipv4 = openUdpSocket({ address: "0.0.0.0", port: 8285, shared: false });
  const proxy = openProxy(settings6, [["fd00:5:0:2::/64", "2001:db8::7", 9000]]);
  try {
    assert.ok(peer >= 0);
    assert.ok(ipv4 >= 0, "the port is free for IPv4");
    const { packet, ping } = await pinged(peer, "-6 -s1404 fd00:5:0:2::9");
    assert.deepEqual([packet.length, packet[0]! >> 4, packet[39]], [1452, 6, 9]);
    const reply = Uint8Array.from(packet);
    reply.set(packet.subarray(24, 40), 8);
    reply.set(packet.subarray(8, 24), 24);
    // Echo request to reply (RFC 4443), and the checksum with it, in one's complement.
    reply[40] = 129;
    const view = new DataView(reply.buffer);
    const sum = (0xffff & ~view.getUint16(42)) + 0x0100;
    view.setUint16(42, 0xffff & ~((sum & 0xffff) + (sum >> 16)));
    assert.equal(
      sendto(peer, reply, { flags: 0, address: socketAddress("2001:db8::1", 8285) }),
      reply.length,
    );
    assert.match(await ping, /1 received/);
    await counted(proxy, "in_packets", 1);
    const words = (line: string) => run("sh", "-c", `ping -6 -c1 -W5 ${line} || true`);
    assert.match(await words("fd00:5:0:3::9"), /No route/);
    assert.match(await words("-t1 fd00:5:0:2::9"), /Hop limit/);
    assert.equal(proxy.counters()["icmp_sent"], 2);
  } finally {
    await proxy.close();
    for (const fd of [peer, ipv4]) closeFd(fd);
  }
});
