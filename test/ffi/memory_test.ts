/**
 * Long use: memory stays flat, and nothing that C reads moves under it. `--v8-flags=--expose-gc` makes the
 * collector run between calls; without it the same work is done and only memory is watched.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { MessageBuilder } from "../../ffi/message_builder.ts";
import { MessageParser } from "../../ffi/message_parser.ts";
import { decodeNeighbour } from "../../ffi/rtnetlink/neighbour.ts";
import { decodeRoute } from "../../ffi/rtnetlink/route.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { add, device, neighbour, plainRoute, succeed } from "../conformance/kernel_objects.ts";
import { encodeWith, nameOf } from "./messages.ts";
import { ip, withSystem } from "./system.ts";

libc();
libnl();

const { gc } = globalThis as { gc?: () => void };
const canCollect = gc !== undefined;
const collect = gc ?? (() => {});

Deno.test("memory: 100,000 objects built and parsed leave no trace", () => {
  const message = new MessageBuilder();
  const parser = new MessageParser(64 * 1024);
  const context = { message, indexOf: () => 3 };
  const round = (count: number) => {
    for (let i = 0; i < count; i++) {
      encodeWith(context, plainRoute, "add");
      parser.bytes.set(message.finish());
      for (const bounds of parser.messages(message.finish().length)) {
        assert.equal(decodeRoute(parser, bounds, nameOf)?.gateway, plainRoute.gateway);
      }
      encodeWith(context, neighbour, "replace");
      parser.bytes.set(message.finish());
      for (const bounds of parser.messages(message.finish().length)) {
        assert.equal(decodeNeighbour(parser, bounds, nameOf)?.mac, neighbour.mac);
      }
      if (i % 5000 === 0) collect();
    }
  };
  round(50_000);
  const before = Deno.memoryUsage().rss;
  round(50_000);
  message.free();
  // One lost nl_msg a round would be 4 KiB × 50,000.
  assert.ok(Deno.memoryUsage().rss - before < 40e6);
});

Deno.test("memory: builders and their C memory come and go", () => {
  const cycle = (count: number) => {
    for (let i = 0; i < count; i++) {
      const message = new MessageBuilder();
      encodeWith({ message, indexOf: () => 3 }, neighbour, "add");
      message.free();
      message.free();
      assert.throws(() => encodeWith({ message, indexOf: () => 3 }, neighbour, "add"), { code: "failed" });
    }
  };
  cycle(2000);
  const before = Deno.memoryUsage().rss;
  cycle(10_000);
  assert.ok(Deno.memoryUsage().rss - before < 20e6);
});

Deno.test("memory: applying, dumping and listening under a running collector stay correct", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)));
    const stop = new AbortController();
    const listening = Array.fromAsync(kernel.events(stop.signal));
    const many = Array.from({ length: 1000 }, (_, i) => ({ ...neighbour, ip: `10.6.${i >> 8}.${i & 255}` }));
    for (let turn = 0; turn < 10; turn++) {
      const failures = kernel.apply(many.map((object) => ({ verb: "replace", object })));
      collect();
      assert.deepEqual(await failures, []);
      const dump = kernel.dump({ links: [device(system).name], sysctls: [] });
      collect();
      const found = (await dump).filter((object) => object.kind === "neighbour" && object.protocol === 113);
      assert.deepEqual(new Set(found.map((object) => JSON.stringify(object))).size, 1000);
    }
    stop.abort();
    const events = await listening;
    assert.ok(events.length >= 1000);
    assert.ok(events.every((event) => event.group === "overrun" || event.link !== ""));
  }));

/** Has a stream of events of the kernel, whose reader leaves with the first one. Returns what tells of its end. */
async function leftAfterOne(kernel: Kernel, cause: () => Promise<unknown>): Promise<WeakRef<object>> {
  const events = kernel.events(new AbortController().signal);
  await cause();
  for await (const _ of events) break;
  return new WeakRef(events);
}

for (const name of ["the kernel's own", "one with a proxy beside it"]) {
  Deno.test(`memory: a stream of events is forgotten when its reader leaves: ${name}`, () =>
    withSystem(async (_, own) => {
      const runDir = await Deno.makeTempDir();
      const kernel = name === "the kernel's own" ? own : openProxiedKernel(own, {
        family: 4,
        runDir,
        clock: systemClock,
        spawn: () => Promise.resolve(),
        requireProxy: () => {},
      });
      const mtu = (bytes: number) => () => ip(`link set under1 mtu ${bytes}`);
      const streams: WeakRef<object>[] = [];
      for (let i = 0; i < 3; i++) streams.push(await leftAfterOne(kernel, mtu(1400 + i)));
      await kernel.hear();
      await systemClock.sleep(0);
      collect();
      // The collector is there in one of the parts that run this.
      if (canCollect) assert.deepEqual(streams.map((stream) => stream.deref()), streams.map(() => undefined));
      await Deno.remove(runDir);
    }));
}
