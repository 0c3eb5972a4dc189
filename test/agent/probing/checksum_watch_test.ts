/** Wrong checksums are told where they concern the network, are many, and are now. */
import assert from "node:assert/strict";
import { ChecksumWatch, tunnelPorts } from "../../../agent/probing/checksum_watch.ts";
import type { Found } from "../../../agent/health/health.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { planned } from "../../lib/overlay.ts";
import { udpPlanned } from "../../lib/udp_plan.ts";

class Counters {
  all: number | undefined = 1000;
  readonly dropped = new Map([[8472, 50], [8473, 0]]);
  reads = 0;
  told = true;

  errors() {
    return this.all;
  }

  drops() {
    this.reads++;
    return this.told ? new Map(this.dropped) : undefined;
  }

  /** Packets with a wrong checksum come to a port. */
  come(port: number, count: number): void {
    this.all = (this.all ?? 0) + count;
    this.drop(port, count);
  }

  /** The port's socket drops packets, whyever. */
  drop(port: number, count: number): void {
    this.dropped.set(port, (this.dropped.get(port) ?? 0) + count);
  }
}

async function watching(
  body: (
    lab: {
      counters: Counters;
      watch: ChecksumWatch;
      pass: (ms: number) => Promise<void>;
      told: () => string[];
    },
  ) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const counters = new Counters();
  let found: readonly Found[] = [];
  const watch = new ChecksumWatch({ clock, counters, judge: (judgement) => found = judgement.found });
  watch.follow([8472, 8473]);
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  const pass = (ms: number) => clock.advance(ms);
  await pass(1000);
  const told = () => found.map(({ subject, message }) => `${subject}: ${message.split(" with")[0]}`);
  await body({ counters, watch, pass, told });
  stop.abort();
  await clock.advance(1);
  await running;
}

Deno.test("checksums: what was there before is nobody's fault, and a healthy host costs one look at one number", async () => {
  await watching(async ({ counters, pass, told }) => {
    await pass(300_000);
    assert.deepEqual(told(), []);
    assert.equal(counters.reads, 1);
  });
});

Deno.test("checksums: five within a minute are told with their port, and no more when they are over", async () => {
  await watching(async ({ counters, pass, told }) => {
    counters.come(8472, 3);
    await pass(10_000);
    assert.deepEqual(told(), []);
    await pass(20_000);
    counters.come(8472, 2);
    await pass(10_000);
    assert.deepEqual(told(), ["udp/8472: 5 packets"]);
    counters.come(8473, 7);
    await pass(10_000);
    assert.deepEqual(told(), ["udp/8472: 5 packets", "udp/8473: 7 packets"]);
    await pass(60_000);
    assert.deepEqual(told(), []);
  });
});

Deno.test("checksums: what comes right after a port is followed counts, before the first look at it", async () => {
  await watching(async ({ counters, watch, pass, told }) => {
    counters.dropped.set(4789, 3);
    watch.follow([4789]);
    counters.come(4789, 5);
    await pass(10_000);
    assert.deepEqual(told(), ["udp/4789: 5 packets"]);
  });
});

Deno.test("checksums: while nobody tells which sockets dropped packets none is suspected, and what came counts later", async () => {
  await watching(async ({ counters, pass, told }) => {
    counters.told = false;
    counters.come(8472, 3);
    await pass(10_000);
    counters.come(53, 50);
    counters.told = true;
    await pass(10_000);
    assert.deepEqual(told(), []);
    counters.come(8472, 2);
    await pass(10_000);
    assert.deepEqual(told(), ["udp/8472: 5 packets"]);
  });
});

Deno.test("checksums: errors of other ports, and drops for other reasons, are not told", async () => {
  await watching(async ({ counters, pass, told }) => {
    counters.come(53, 100);
    await pass(10_000);
    counters.drop(8473, 100);
    await pass(10_000);
    counters.come(53, 2);
    counters.drop(8472, 100);
    await pass(10_000);
    assert.deepEqual(told(), []);
  });
});

Deno.test("checksums: a device that is made anew counts from 0, and other ports from now", async () => {
  await watching(async ({ counters, watch, pass, told }) => {
    counters.dropped.set(8472, 0);
    counters.come(8472, 6);
    await pass(10_000);
    assert.deepEqual(told(), ["udp/8472: 6 packets"]);
    counters.drop(4789, 9);
    watch.follow([4789]);
    counters.come(53, 9);
    await pass(10_000);
    assert.deepEqual(told(), []);
    watch.follow([]);
    counters.all = undefined;
    await pass(10_000);
    assert.deepEqual(told(), []);
  });
});

Deno.test("checksums: the ports are the tunnel's and the probes' of a vxlan plan, and none of another plane", () => {
  assert.deepEqual(tunnelPorts({ objects: planned([2]) }, 8473), [8472, 8473]);
  assert.deepEqual(tunnelPorts({ objects: planned([2]) }, undefined), [8472]);
  assert.deepEqual(tunnelPorts({ objects: udpPlanned([2]) }, 8473), []);
});
