/** A private network stack for tests: the namespace that the test task makes, with a veth pair as underlay. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import type { KernelSystem } from "../conformance/kernel_suite.ts";

// Opened here because libraries stay open: inside a test they would count as its leak.
libc();
libnl();

/** Runs a program and returns its standard output; insists on success. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** `ip` with the words of one line. */
export const ip = (line: string): Promise<string> => run("ip", ...line.split(" "));

/** The JSON that `ip -j` or `bridge -j` prints. */
export async function shown(program: "ip" | "bridge", line: string): Promise<Record<string, unknown>[]> {
  return JSON.parse(await run(program, "-j", ...line.split(" ")) || "[]");
}

/** Insists that this is not the machine's own network. */
async function privateNamespace(): Promise<void> {
  const links = await shown("ip", "link");
  assert.deepEqual(
    links.map((link) => link.ifname).filter((name) => name !== "lo"),
    [],
    "these tests need a fresh network namespace: unshare -n deno test …",
  );
}

/** Makes the underlay `under0`, up, with `192.0.2.1/24`. */
export async function openSystem(): Promise<KernelSystem> {
  await privateNamespace();
  await ip("link set lo up");
  await ip("link add under0 type veth peer name under1");
  // Without link-local addresses, whose announcements would come in the middle of a test.
  await ip("link set under0 addrgenmode none");
  await ip("link set under1 addrgenmode none");
  await ip("address add 192.0.2.1/24 dev under0");
  await ip("link set under0 up");
  await ip("link set under1 up");
  const open: Kernel[] = [];
  return {
    underlay: "under0",
    kernel() {
      const kernel = openKernel({ clock: systemClock });
      open.push(kernel);
      return kernel;
    },
    async close() {
      for (const kernel of open) kernel.close();
      // One at a time, because a link takes its other half or what is stacked on it along.
      for (;;) {
        const [link] = (await shown("ip", "link")).filter(({ ifname }) => ifname !== "lo");
        if (link === undefined) break;
        await ip(`link delete ${link.ifname}`);
      }
      await ip("route flush table main");
      await ip("-6 route flush table main");
      await ip("nexthop flush");
    },
  };
}

/** The same with `2001:db8::1/64` beside it. */
export async function openDualSystem(): Promise<KernelSystem> {
  const system = await openSystem();
  await ip("address add 2001:db8::1/64 dev under0 nodad");
  return system;
}

/** Runs `body` on a fresh system. */
export async function withSystem(
  body: (system: KernelSystem, kernel: Kernel) => Promise<void>,
): Promise<void> {
  const system = await openSystem();
  try {
    await body(system, system.kernel());
  } finally {
    await system.close();
  }
}
