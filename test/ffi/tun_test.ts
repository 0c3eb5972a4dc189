/** TUN devices and their queues on Linux: who makes them, who keeps them, and what is refused. */
import assert from "node:assert/strict";
import { closeFd, ioctl } from "../../ffi/libc.ts";
import { errnoName } from "../../ffi/errno.ts";
import { createTun, openTunQueue, persistTun } from "../../ffi/tun.ts";
import { KernelError } from "../../net/errors.ts";
import type { Link, Proxy } from "../../kernel/state.ts";
import { add, errnos, present, remove, replace, succeed } from "../conformance/kernel_objects.ts";
import { TUN, tunAddress, tunDevice, tunRoute } from "../conformance/kernel_tun.ts";
import { ip, shown, withSystem } from "./system.ts";

const single = { multiQueue: false };
const several = { multiQueue: true };

/** The descriptor, or the errno's name. */
const named = (result: number) => result < 0 ? errnoName(-result) : "a descriptor";

async function names(): Promise<unknown[]> {
  return (await shown("ip", "link")).map((link) => link.ifname).filter((name) =>
    String(name).startsWith("flan")
  );
}

async function flags(): Promise<string[]> {
  const [link] = await shown("ip", `link show ${TUN}`);
  return (link!.flags as string[]).filter((flag) => ["UP", "LOWER_UP", "NO-CARRIER"].includes(flag)).sort();
}

Deno.test("tun: a device that was not made to persist goes with its queue, one that was stays", () =>
  withSystem(async () => {
    const fd = createTun("flan5", single);
    assert.ok(fd >= 0, named(fd));
    assert.deepEqual(await names(), ["flan5"]);
    closeFd(fd);
    assert.deepEqual(await names(), []);
    const kept = createTun("flan5", single);
    assert.equal(persistTun(kept), 0);
    closeFd(kept);
    assert.deepEqual(await names(), ["flan5"]);
  }));

Deno.test("tun: a maker that is killed before it is done leaves nothing behind", () =>
  withSystem(async () => {
    const script = `
      import { createTun } from ${JSON.stringify(import.meta.resolve("../../ffi/tun.ts"))};
      console.log(createTun("flan5", { multiQueue: false }));
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const output = child.stdout.getReader();
    await output.read();
    assert.deepEqual(await names(), ["flan5"]);
    child.kill("SIGKILL");
    await child.status;
    await output.cancel();
    assert.deepEqual(await names(), []);
  }));

Deno.test("tun: a name that is taken, and one that Linux would read otherwise, are refused", () =>
  withSystem(async () => {
    const refused: [string, string][] = [
      ["under0", "EEXIST"],
      ["", "EINVAL"],
      ["flan%d", "EINVAL"],
      ["flan\0", "EINVAL"],
      ["flan-very-long-name", "EINVAL"],
      ["sixteen-letters-", "EINVAL"],
      ["fl/an", "EINVAL"],
      ["fl an", "EINVAL"],
    ];
    for (const [name, errno] of refused) assert.equal(named(createTun(name, single)), errno, name);
    const longest = createTun("flan-fifteen-15", single);
    assert.deepEqual(await names(), ["flan-fifteen-15"]);
    closeFd(longest);
  }));

Deno.test("tun: a device has one reader, or as many as its queues", () =>
  withSystem(async (_system, kernel) => {
    await succeed(kernel, add(tunDevice));
    const one = openTunQueue(TUN, single);
    assert.equal(named(one), "a descriptor");
    assert.equal(named(openTunQueue(TUN, single)), "EBUSY");
    assert.equal(named(openTunQueue(TUN, several)), "EINVAL");
    closeFd(one);
    await succeed(
      kernel,
      remove(tunDevice),
      add({ ...tunDevice, tun: { multiQueue: true, queueLength: 500 } }),
    );
    const queues = Array.from({ length: 16 }, () => openTunQueue(TUN, several));
    assert.deepEqual(queues.map(named), queues.map(() => "a descriptor"));
    assert.equal(named(openTunQueue(TUN, single)), "EINVAL");
    queues.forEach(closeFd);
    assert.deepEqual(await names(), [TUN]);
  }));

Deno.test("tun: a queue of what is not there, or is no TUN device, is refused, and nothing is made", () =>
  withSystem(async () => {
    assert.equal(named(openTunQueue(TUN, single)), "ENODEV");
    assert.equal(named(openTunQueue("", single)), "ENODEV");
    assert.equal(named(openTunQueue("flan%d", single)), "ENODEV");
    assert.equal(named(openTunQueue("under0", single)), "EINVAL");
    await ip("tuntap add dev flan6 mode tap");
    assert.equal(named(openTunQueue("flan6", single)), "EINVAL");
    assert.deepEqual(await names(), ["flan6"]);
  }));

/** TUNGETIFF (linux/if_tun.h): the IFF_ flags of a queue's device. */
function flagsOf(fd: number): number {
  const request = new Uint8Array(40);
  assert.equal(ioctl(fd, 0x800454d2, request), 0);
  return new DataView(request.buffer).getUint16(16, true);
}

const IFF_PERSIST = 0x0800;

Deno.test("tun: a queue is never that of a device which its own opening made", () =>
  withSystem(async (_system, kernel) => {
    await succeed(kernel, add({ ...tunDevice, up: false }));
    const renames = new TextEncoder().encode(
      "link set flan0 name foo0\nlink set foo0 name flan0\n".repeat(3000),
    );
    const child = new Deno.Command("ip", {
      args: ["-force", "-batch", "-"],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    const written = writer.write(renames).then(() => writer.close());
    let renamed = false;
    child.status.then(() => renamed = true);
    const answers = new Set<string>();
    while (!renamed) {
      for (let i = 0; i < 100; i++) {
        const fd = openTunQueue(TUN, single);
        answers.add(fd < 0 || (flagsOf(fd) & IFF_PERSIST) !== 0 ? named(fd) : "a queue of its own device");
        if (fd >= 0) closeFd(fd);
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    await written;
    assert.deepEqual([...answers].sort(), ["ENODEV", "a descriptor"]);
  }));

Deno.test("tun: a queue is non-blocking and is not inherited", () =>
  withSystem(async (_system, kernel) => {
    await succeed(kernel, add(tunDevice));
    const fd = openTunQueue(TUN, single);
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    const bits = parseInt(/^flags:\s+(\d+)$/m.exec(info)![1]!, 8);
    assert.deepEqual([bits & 3, bits & 0o4000, bits & 0o2000000], [2, 0o4000, 0o2000000]);
    // IFF_TUN, IFF_NO_PI and IFF_VNET_HDR.
    assert.equal(flagsOf(fd), 0x0001 | 0x1000 | 0x4000 | IFF_PERSIST);
    closeFd(fd);
  }));

Deno.test("tun: what its reader does, and whether it has one, changes no address and no route", () =>
  withSystem(async (_system, kernel) => {
    const all = [tunDevice, tunAddress, tunRoute];
    await succeed(kernel, ...all.map(add));
    assert.deepEqual(await flags(), ["NO-CARRIER", "UP"]);
    const fd = openTunQueue(TUN, single);
    assert.deepEqual(await flags(), ["LOWER_UP", "UP"]);
    await present(kernel, ...all);
    closeFd(fd);
    assert.deepEqual(await flags(), ["NO-CARRIER", "UP"]);
    await present(kernel, ...all);
    assert.equal((await kernel.routeGet("10.5.9.9")).link, TUN);
  }));

Deno.test("tun: the device is what ip shows, and makes itself no address", () =>
  withSystem(async (_system, kernel) => {
    await succeed(kernel, add({ ...tunDevice, tun: { multiQueue: true, queueLength: 4000 } }));
    const fd = openTunQueue(TUN, several);
    const [seen] = await shown("ip", `-d link show ${TUN}`);
    closeFd(fd);
    assert.deepEqual([seen!.mtu, seen!.txqlen, seen!.ifalias, seen!.address], [
      1472,
      4000,
      "flan udp",
      undefined,
    ]);
    assert.equal(seen!.inet6_addr_gen_mode, "none");
    const { info_kind, info_data } = seen!.linkinfo as Record<string, Record<string, unknown>>;
    const { type, pi, vnet_hdr, multi_queue, persist } = info_data!;
    assert.deepEqual([info_kind, type, pi, vnet_hdr, multi_queue, persist], [
      "tun",
      "tun",
      false,
      true,
      true,
      true,
    ]);
    const addresses = (await shown("ip", `-6 address show dev ${TUN}`)).flatMap((l) => l.addr_info ?? []);
    assert.deepEqual(addresses, []);
  }));

Deno.test("tun: one that a program made for flan makes itself no address either, once flan sets it up", () =>
  withSystem(async (_system, kernel) => {
    const fd = createTun("flan5", single);
    const link: Link = {
      kind: "link",
      name: "flan5",
      type: "tun",
      alias: "flan 3f2a",
      mac: "",
      mtu: 1440,
      up: true,
    };
    await succeed(kernel, replace(link));
    const [seen] = await shown("ip", "-d link show flan5");
    const addresses = (await shown("ip", "address show dev flan5")).flatMap((one) => one.addr_info ?? []);
    closeFd(fd);
    assert.deepEqual([seen!.mtu, seen!.ifalias, seen!.inet6_addr_gen_mode], [1440, "flan 3f2a", "none"]);
    assert.deepEqual(addresses, []);
    assert.ok((seen!.flags as string[]).includes("UP"));
  }));

Deno.test("tun: what others made is read as it is: a TAP device and one without persistence are no TUN of ours", () =>
  withSystem(async (_system, kernel) => {
    await ip("tuntap add dev flan6 mode tap");
    await ip("tuntap add dev flan7 mode tun multi_queue");
    const fd = createTun("flan8", single);
    const links = (await kernel.dump({ links: [], sysctls: [] })).filter((object): object is Link =>
      object.kind === "link" && object.name.startsWith("flan")
    );
    closeFd(fd);
    assert.deepEqual(links.map(({ name, type, tun }) => [name, type, tun]), [
      ["flan6", "tun", undefined],
      ["flan7", "tun", { multiQueue: true, queueLength: 500 }],
      ["flan8", "tun", undefined],
    ]);
  }));

Deno.test("tun: one that cannot be finished is taken away again", () =>
  withSystem(async (_system, kernel) => {
    const bad: [Partial<Link>, string][] = [
      [{ alias: "flan".repeat(100) }, "ERANGE"],
      [{ mtu: 10 }, "EINVAL"],
      [{ mtu: 70_000 }, "EINVAL"],
      [{ name: "flan%d" }, "EINVAL"],
    ];
    for (const [change, errno] of bad) {
      const link = { ...tunDevice, ...change };
      assert.deepEqual(await errnos(kernel, add(link)), [`${errno} link ${link.name}`]);
    }
    assert.deepEqual(await names(), []);
  }));

Deno.test("tun: a change of one property leaves the others as they are, and no descriptor open", () =>
  withSystem(async (_system, kernel) => {
    const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = open();
    await kernel.require(["tun"]);
    await succeed(kernel, add(tunDevice));
    await errnos(kernel, add(tunDevice), add({ ...tunDevice, name: "flan1", mtu: 10 }));
    assert.equal(open(), before);
    await ip(`link set ${TUN} promisc on group 7`);
    await succeed(kernel, replace({ ...tunDevice, tun: { multiQueue: false, queueLength: 77 } }));
    const [seen] = await shown("ip", `-d link show ${TUN}`);
    assert.deepEqual([seen!.txqlen, seen!.mtu, seen!.promiscuity, seen!.group], [77, 1472, 1, "7"]);
  }));

Deno.test("kernel: the proxy is none of its matters, and it says so", () =>
  withSystem(async (_system, kernel) => {
    const proxy: Proxy = {
      kind: "proxy",
      link: TUN,
      address: "192.0.2.1",
      port: 8285,
      subnet: "10.5.1.0/24",
      source: "10.5.1.0",
      checkSource: true,
      queues: 1,
      carrying: true,
    };
    const failures = await kernel.apply([
      add(tunDevice),
      add(tunAddress),
      add(proxy),
      add(tunRoute),
      remove(proxy),
    ]);
    assert.deepEqual(failures.map(({ change, error }) => [change.verb, error.errno]), [
      ["add", "EOPNOTSUPP"],
      ["delete", "EOPNOTSUPP"],
    ]);
    assert.ok(failures.every(({ error }) => error instanceof KernelError));
    await present(kernel, tunDevice, tunAddress, tunRoute);
    await assert.rejects(kernel.require(["tun", "proxy"]), { code: "unsupported" });
  }));
