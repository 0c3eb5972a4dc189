/** One call waits for everybody: who comes and goes while it is under way, and what is left of it afterwards. */
import assert from "node:assert/strict";
import { closeFd, eventfd, libc } from "../../ffi/libc.ts";
import { readable } from "../../ffi/readable.ts";
import { FlanError } from "../../net/errors.ts";

libc(); // stays open

const open = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Event counters that are closed at the end. */
async function withCounters(count: number, body: (...fds: number[]) => Promise<void>): Promise<void> {
  const fds = Array.from({ length: count }, () => eventfd(0));
  try {
    await body(...fds);
  } finally {
    for (const fd of fds) closeFd(fd);
  }
}

/** Whether a promise is settled after some turns of the loop. */
async function isPending(promise: Promise<void>): Promise<boolean> {
  let pending = true;
  promise.then(() => pending = false);
  for (let i = 0; i < 20; i++) await turn();
  return pending;
}

Deno.test("readable: whoever comes while others wait is told at once, and the others wait on", () =>
  withCounters(3, async (a, b, c) => {
    const first = readable(a!);
    const second = readable(b!, c!);
    await turn();
    libc().eventfd_write(c!, 1n);
    await second;
    assert.equal(await isPending(first), true);
    libc().eventfd_write(a!, 1n);
    await first;
  }));

Deno.test("readable: what can be read already is told at once, again and again", () =>
  withCounters(2, async (a, b) => {
    libc().eventfd_write(a!, 1n);
    for (let i = 0; i < 3; i++) await readable(a!, b!);
  }));

Deno.test("readable: a descriptor is free again once its wait is over, and none is left open", () =>
  withCounters(2, async (a, b) => {
    const before = open();
    libc().eventfd_write(a!, 1n);
    await readable(a!, b!);
    const again = readable(b!);
    libc().eventfd_write(b!, 1n);
    await again;
    await turn();
    assert.equal(open(), before);
  }));

Deno.test("readable: what cannot be waited for, or is waited for already, is refused and disturbs nobody", () =>
  withCounters(2, async (a, b) => {
    const before = open();
    await assert.rejects(() => readable(b!, 99_999), /Cannot wait for descriptors: Bad file descriptor/);
    assert.equal(open(), before);
    const waiting = readable(a!);
    await assert.rejects(() => readable(b!, a!), (error) => {
      assert.ok(error instanceof FlanError);
      assert.match(error.message, /File exists \(EEXIST\)/);
      return true;
    });
    libc().eventfd_write(b!, 1n);
    assert.equal(await isPending(waiting), true);
    libc().eventfd_write(a!, 1n);
    await waiting;
  }));
