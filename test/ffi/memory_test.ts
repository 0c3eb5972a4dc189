/**
 * Long use: memory stays flat, and nothing that C reads moves under it. `--v8-flags=--expose-gc` makes the
 * collector run between calls; without it the same work is done and only memory is watched.
 */
import assert from "node:assert/strict";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { MessageBuilder } from "../../ffi/message_builder.ts";
import { MessageParser } from "../../ffi/message_parser.ts";
import { decodeNeighbour } from "../../ffi/rtnetlink/neighbour.ts";
import { decodeRoute } from "../../ffi/rtnetlink/route.ts";
import { add, device, neighbour, plainRoute, succeed } from "../conformance/kernel_objects.ts";
import { encodeWith, nameOf } from "./messages.ts";
import { withSystem } from "./system.ts";

libc();
libnl();

const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});

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
