/** Network namespaces from within one process: what is opened inside stays inside. */
import assert from "node:assert/strict";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Clock } from "../../net/clock.ts";

const libc = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});
const CLONE_NEWNET = 0x40000000; // linux/sched.h
const O_CLOEXEC = 0o2000000;

/** Runs `work`, which must not wait for anything, in the namespace (setns(2) concerns the calling thread). */
export function inside<T>(namespace: string, work: () => T): T {
  const outer = openNamespace("/proc/self/ns/net");
  const inner = openNamespace(`/run/netns/${namespace}`);
  assert.equal(libc.symbols.setns(inner, CLONE_NEWNET), 0, `enter ${namespace}`);
  try {
    return work();
  } finally {
    assert.equal(libc.symbols.setns(outer, CLONE_NEWNET), 0, `leave ${namespace}`);
    for (const fd of [outer, inner]) libc.symbols.close(fd);
  }
}

/** A kernel whose requests concern that namespace; not for sysctls and switches, which are read where the caller is. */
export function kernelOf(namespace: string, clock: Clock): Kernel {
  return inside(namespace, () => openKernel({ clock }));
}

function openNamespace(path: string): number {
  const fd = libc.symbols.open(new TextEncoder().encode(`${path}\0`), O_CLOEXEC);
  assert.ok(fd >= 0, `open ${path}`);
  return fd;
}
