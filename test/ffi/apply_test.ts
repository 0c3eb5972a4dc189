import assert from "node:assert/strict";
import { FlanError } from "../../net/errors.ts";
import { systemClock } from "../../agent/clock.ts";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import type { Link, Neighbour } from "../../kernel/state.ts";
import {
  add,
  device,
  errnos,
  neighbour,
  nexthop,
  plainRoute,
  present,
  remove,
  replace,
  succeed,
} from "../conformance/kernel_objects.ts";
import { ip, run, shown, withSystem } from "./system.ts";

/** `count` neighbours with addresses of their own. */
const neighbours = (count: number): Neighbour[] =>
  Array.from({ length: count }, (_, i) => ({ ...neighbour, ip: `10.6.${i >> 8}.${i & 255}` }));

Deno.test("apply: the kernel's extended acknowledgement stands in the message", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add({ ...device(system), up: false }));
    const [route, hop] = await kernel.apply([
      add({ ...plainRoute, nexthop: 4242 }),
      add({ ...nexthop, gateway: "127.0.0.1" }),
    ]);
    assert.equal(
      route!.error.message,
      "Cannot add route 10.5.3.0/24 via 10.5.3.0 dev flan.7: Invalid argument: Nexthop id does not exist (EINVAL)",
    );
    assert.match(
      hop!.error.message,
      /^Cannot add nexthop 7001 via 127\.0\.0\.1 dev flan\.7: .+: .+ \(E[A-Z]+\)$/,
    );
  }));

Deno.test("apply: a checksum offload that cannot be switched is what a refused link names", () =>
  withSystem(async (_, kernel) => {
    const lo = (await kernel.dump({ links: [], sysctls: [] })).find((one): one is Link =>
      one.kind === "link" && one.name === "lo"
    )!;
    const [failure] = await kernel.apply([replace({ ...lo, txChecksum: false })]);
    assert.equal(
      failure!.error.message,
      "Cannot replace link lo: its checksum offload cannot be switched off: Operation not supported (EOPNOTSUPP)",
    );
  }));

Deno.test("apply: thousands of changes go in several batches, and all arrive", () =>
  withSystem(async (system, kernel) => {
    const many = neighbours(5000);
    await succeed(kernel, add(device(system)), ...many.map(add));
    const seen = await kernel.dump({ links: ["flan.7"], sysctls: [] });
    const found = seen.filter((object) => object.kind === "neighbour" && object.protocol === 113);
    assert.deepEqual(
      new Set(found.map((object) => JSON.stringify(object))),
      new Set(many.map((n) => JSON.stringify(n))),
    );
    await succeed(kernel, ...many.map(remove));
    assert.equal((await shown("ip", "neigh show dev flan.7 nud permanent")).length, 0);
  }));

Deno.test("apply: failures in the middle of batches are given to the changes that caused them", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)));
    const changes = neighbours(3000).map(add);
    const bad = [0, 1, 599, 1500, 2998, 2999];
    for (const at of bad) {
      changes[at] = add({ ...plainRoute, destination: `10.9.${at >> 8}.${at & 255}/32`, nexthop: 9 });
    }
    changes.splice(700, 0, add({ ...neighbour, mac: "nonsense" }));
    const failures = await kernel.apply(changes);
    assert.deepEqual(
      failures.map(({ change }) => changes.indexOf(change)),
      [0, 1, 599, 700, 1501, 2999, 3000],
    );
    const seen = await kernel.dump({ links: ["flan.7"], sysctls: [] });
    assert.equal(
      seen.filter((object) => object.kind === "neighbour" && object.protocol === 113).length,
      2994,
    );
  }));

Deno.test("apply: a link of a type that the kernel does not know is unsupported and names the module", () =>
  withSystem(async (system, kernel) => {
    const { vxlan: _, ...plain } = device(system);
    const [failure] = await kernel.apply([add({ ...plain, type: "nosuchtype" })]);
    assert.equal(failure!.error.code, "unsupported");
    assert.equal(failure!.error.hint, "modprobe nosuchtype");
    assert.match(
      failure!.error.message,
      /no module for nosuchtype links.*Unknown device type \(EOPNOTSUPP\)$/,
    );
  }));

Deno.test("apply: a link that cannot be finished is taken away again", () =>
  withSystem(async (system, kernel) => {
    // Linux takes 255 bytes of alias (IFALIASZ), and takes them only once the link is made.
    const failed = await errnos(kernel, add({ ...device(system), alias: "flan".repeat(100) }));
    assert.deepEqual(failed, ["ERANGE link flan.7"]);
    assert.deepEqual((await shown("ip", "link")).filter((link) => link.ifname === "flan.7"), []);
  }));

Deno.test("apply: a link replaced while another program holds it changes only what differs", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)), add(neighbour));
    await ip("link set flan.7 txqueuelen 77");
    await succeed(kernel, replace({ ...device(system), mtu: 1300, alias: "" }));
    const [seen] = await shown("ip", "link show flan.7");
    assert.deepEqual([seen!.mtu, seen!.txqlen, seen!.ifalias], [1300, 77, undefined]);
    await present(kernel, neighbour);
  }));

Deno.test("apply: sysctl names that leave /proc/sys are refused", () =>
  withSystem(async (_system, kernel) => {
    for (
      const name of ["../sysrq-trigger", "/net/ipv4/ip_forward", "net//ipv4", "net/./ipv4", "", "net/\0"]
    ) {
      const object = { kind: "sysctl", name, value: "1" } as const;
      const [failure] = await kernel.apply([replace(object)]);
      assert.equal(failure?.error.errno, "EINVAL", name);
      await assert.rejects(kernel.dump({ links: [], sysctls: [name] }), { code: "invalid" });
    }
    const [failure] = await kernel.apply([
      replace({ kind: "sysctl", name: "net/ipv4/ip_forward", value: "perhaps" }),
    ]);
    assert.match(
      failure!.error.message,
      /^Cannot replace sysctl net\/ipv4\/ip_forward=perhaps: .*\(EINVAL\)$/,
    );
  }));

Deno.test("apply: without CAP_NET_ADMIN every change fails as not permitted, and reading goes on", () =>
  withSystem(async (_system, kernel) => {
    assert.deepEqual(await kernel.apply([]), []);
    const script = `
      import { openKernel } from ${JSON.stringify(import.meta.resolve("../../ffi/netlink_kernel.ts"))};
      import { systemClock } from ${JSON.stringify(import.meta.resolve("../../agent/clock.ts"))};
      const kernel = openKernel({ clock: systemClock });
      const object = { kind: "address", link: "under0", address: "10.5.1.0/32" };
      const [failure] = await kernel.apply([{ verb: "add", object }]);
      const { code, errno, hint, message } = failure.error;
      const objects = await kernel.dump({ links: ["under0"], sysctls: [] });
      kernel.close();
      console.log(JSON.stringify({ code, errno, hint, message, read: objects.length > 3 }));
    `;
    const drop = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
    const printed = await run("setpriv", ...drop, Deno.execPath(), "eval", script);
    assert.deepEqual(JSON.parse(printed), {
      code: "not-permitted",
      errno: "EPERM",
      hint: "run as root",
      message: "Cannot add address 10.5.1.0/32 dev under0: CAP_NET_ADMIN is needed (EPERM)",
      read: true,
    });
  }));

Deno.test("apply, dump and look-ups that overlap do not disturb one another", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)));
    const changes = neighbours(3000).map(add);
    const [failures, first, answer] = await Promise.all([
      kernel.apply(changes),
      kernel.dump({ links: ["flan.7"], sysctls: [] }),
      kernel.routeGet("192.0.2.9"),
    ]);
    assert.deepEqual(failures, []);
    assert.equal(
      first.filter((object) => object.kind === "neighbour" && object.protocol === 113).length,
      3000,
    );
    assert.equal(answer.link, "under0");
  }));

Deno.test("a closed kernel refuses work instead of using another's descriptor, and gave its own back", () =>
  withSystem(async (_system, kernel) => {
    await kernel.dump({ links: [], sysctls: [] });
    const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = count();
    const second = openKernel({ clock: systemClock });
    const events = second.events(new AbortController().signal);
    // The requests, the events, those of the packet filter, and what wakes their reader.
    assert.equal(count(), before + 4);
    second.close();
    second.close();
    assert.equal(count(), before);
    assert.deepEqual(await Array.fromAsync(events), []);
    await assert.rejects(second.dump({ links: [], sysctls: [] }), (error) => error instanceof FlanError);
    await assert.rejects(second.routeGet("192.0.2.9"), (error) => error instanceof FlanError);
  }));
