import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import type { Kernel, KernelEvent } from "../../kernel/kernel.ts";
import {
  add,
  address,
  DEVICE,
  device,
  fdb,
  neighbour,
  nexthop,
  plainRoute,
  replace,
  succeed,
  sysctl,
} from "../conformance/kernel_objects.ts";
import { until } from "../conformance/kernel_events.ts";
import { PATIENCE_MS } from "../lib/until.ts";
import { ip, withSystem } from "./system.ts";

/** Runs `body` with the kernel's events, and takes them away afterwards. */
async function listening(
  kernel: Kernel,
  body: (events: AsyncIterator<KernelEvent>) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const events = kernel.events(stop.signal)[Symbol.asyncIterator]();
  try {
    await body(events);
  } finally {
    stop.abort();
    await events.return?.();
  }
}

/** Every event up to the one that names `link` as a new link: a mark at the end of what is looked for. */
async function upTo(events: AsyncIterator<KernelEvent>, link: string): Promise<KernelEvent[]> {
  const seen: KernelEvent[] = [];
  await until(events, (event) => {
    seen.push(event);
    return event.group === "link" && event.link === link;
  });
  return seen;
}

const openFds = () => [...Deno.readDirSync("/proc/self/fd")].length;

Deno.test("events: a deleted object names the process that did it", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)), add(plainRoute), add(neighbour), add(address), add(nexthop));
    await listening(kernel, async (events) => {
      const deletions: [string, KernelEvent["group"], string | undefined][] = [
        [`route delete ${plainRoute.destination}`, "route", plainRoute.destination],
        [`neigh delete ${neighbour.ip} dev ${DEVICE}`, "neighbour", neighbour.ip],
        [`nexthop delete id ${nexthop.id}`, "nexthop", String(nexthop.id)],
        // Last, because the kernel takes routes and neighbours along with a link's last address.
        [`address delete ${address.address} dev ${DEVICE}`, "address", address.address],
      ];
      for (const [line, group, subject] of deletions) {
        const child = new Deno.Command("ip", { args: line.split(" ") }).spawn();
        const [event, status] = await Promise.all([
          until(events, (event) => event.group === group && event.port !== 0),
          child.status,
        ]);
        assert.equal(status.code, 0, line);
        assert.equal(event.port, child.pid, line);
        assert.deepEqual([event.own, event.link, event.subject], [false, DEVICE, subject]);
        if (group !== "neighbour") assert.equal(event.action, "delete");
      }
    });
  }));

Deno.test("events: the kernel asks for a MAC with the address that is wanted", () =>
  withSystem(async (system, kernel) => {
    const onLink = { ...plainRoute, destination: "10.5.0.0/16", gateway: "", onlink: false };
    await succeed(kernel, add(device(system)), add(address), replace(sysctl), add(onLink));
    await listening(kernel, async (events) => {
      const ping = new Deno.Command("ping", { args: ["-c1", "-W1", "10.5.9.9"], stdout: "null" }).spawn();
      const event = await until(events, (event) => event.action === "wanted");
      assert.deepEqual([event.group, event.link, event.subject, event.own], [
        "neighbour",
        DEVICE,
        "10.5.9.9",
        false,
      ]);
      // The answer flan gives: reachable, so that it ages and is asked for again.
      await succeed(kernel, replace({ ...neighbour, ip: "10.5.9.9", state: "reachable" }));
      const made = await until(events, (event) => event.own && event.subject === "10.5.9.9");
      assert.deepEqual([made.action, made.state, made.protocol], ["new", "reachable", 113]);
      await ping.status;
    });
  }));

Deno.test("events: an FDB entry shows as a neighbour event of its link, without an address", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)));
    await listening(kernel, async (events) => {
      await succeed(kernel, add(fdb));
      const event = await until(events, (event) => event.group === "neighbour" && event.link === DEVICE);
      assert.deepEqual([event.action, event.subject], ["new", undefined]);
      assert.deepEqual([event.mac, event.to], [fdb.mac, fdb.remote]);
    });
  }));

Deno.test("events: a link is named by its new name after it was renamed", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add({ ...device(system), up: false }));
    await listening(kernel, async (events) => {
      await ip(`link set ${DEVICE} name other.7`);
      await until(events, (event) => event.group === "link" && event.link === "other.7");
      await ip("address add 10.5.1.0/32 dev other.7");
      const event = await until(events, (event) => event.group === "address");
      assert.equal(event.link, "other.7");
    });
  }));

Deno.test("events: the links that exist already are not announced", () =>
  withSystem(async (system, kernel) => {
    await listening(kernel, async (events) => {
      await succeed(kernel, add(device(system)));
      const seen = await upTo(events, DEVICE);
      assert.deepEqual(seen.filter((event) => event.link === "lo"), []);
    });
  }));

Deno.test("events: what goes with a deleted link is announced with the link's name", () =>
  withSystem(async (system, kernel) => {
    // A link that is up would announce itself once more, as down, before it goes.
    await succeed(kernel, add({ ...device(system), up: false }), add(address));
    await listening(kernel, async (events) => {
      await ip(`link delete ${DEVICE}`);
      // By now the kernel does not know the number any more.
      const event = await until(events, (event) => event.group === "address" && event.action === "delete");
      assert.deepEqual([event.link, event.subject], [DEVICE, address.address]);
    });
  }));

Deno.test("events: routes of other tables are no events", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)));
    await listening(kernel, async (events) => {
      await ip(`route add 203.0.113.0/24 dev ${DEVICE} table 77`);
      await ip("link set under1 mtu 1400");
      const seen = await upTo(events, "under1");
      assert.equal(seen.some((event) => event.subject === "203.0.113.0/24"), false);
    });
  }));

Deno.test("events: what does not fit the receive buffer becomes an overrun, and events go on", () =>
  withSystem(async (system, kernel) => {
    const small = openKernel({ clock: systemClock, eventBuffer: 4096 });
    try {
      await succeed(kernel, add(device(system)));
      await listening(small, async (events) => {
        const many = Array.from(
          { length: 2000 },
          (_, i) => ({ ...neighbour, ip: `10.6.${i >> 8}.${i & 255}` }),
        );
        await succeed(kernel, ...many.map(add));
        const event = await until(events, (event) => event.group === "overrun");
        assert.deepEqual([event.action, event.own, event.port], ["new", false, 0]);
        // What had still fitted is read before the program below starts, so that there is room again.
        const later = until(events, (event) => event.group === "link" && event.link === "under1");
        await ip("link set under1 mtu 1400");
        assert.equal((await later).action, "new");
      });
    } finally {
      small.close();
    }
  }));

// With and without a remainder to the 1000 datagrams that one drain reads.
for (const count of [999, 1000, 1001, 2000]) {
  Deno.test(`events: hearing ends when ${count} events were waiting`, () =>
    withSystem(async (system, kernel) => {
      await succeed(kernel, add(device(system)));
      const batch = await Deno.makeTempFile();
      const route = (_: unknown, i: number) => `route add 203.0.${i >> 8}.${i & 255}/32 dev ${DEVICE}\n`;
      await Deno.writeTextFile(batch, Array.from({ length: count }, route).join(""));
      await listening(kernel, async (events) => {
        let routes = 0;
        const reading = (async () => {
          for (;;) {
            const { value, done } = await events.next();
            if (done) return;
            if (value.group === "route" && value.action === "new") routes++;
          }
        })();
        // What announced the device itself is read.
        await kernel.hear();
        routes = 0;
        const limit = new AbortController();
        const late = systemClock.sleep(PATIENCE_MS, limit.signal).then(() => "it hangs");
        // Without a turn of the event loop in between, so that nothing is read before somebody wants to hear.
        const { code } = new Deno.Command("ip", { args: ["-batch", batch] }).outputSync();
        const heard = await Promise.race([kernel.hear().then(() => "heard"), late]);
        limit.abort();
        assert.deepEqual([code, heard, routes], [0, "heard", count]);
        kernel.close();
        await reading;
      }).finally(() => Deno.remove(batch));
    }));
}

Deno.test("events: descriptors go when the signal aborts, read or not", () =>
  withSystem(async (_system, kernel) => {
    const before = openFds();
    const stop = new AbortController();
    const waiting = Array.fromAsync(kernel.events(stop.signal));
    kernel.events(stop.signal);
    // Two sockets and a counter each, and what the one that is read waits with.
    assert.equal(openFds(), before + 7);
    stop.abort();
    await waiting;
    assert.equal(openFds(), before);
  }));

Deno.test("events: descriptors go when the reader leaves", () =>
  withSystem(async (_system, kernel) => {
    const before = openFds();
    const events = kernel.events(new AbortController().signal);
    await ip("link set under1 mtu 1400");
    for await (const event of events) {
      assert.equal(event.own, false);
      break;
    }
    assert.equal(openFds(), before);
    assert.deepEqual(await Array.fromAsync(events), []);
  }));
