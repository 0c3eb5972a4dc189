/**
 * The behaviour every {@link Kernel} has, on Linux and in memory. What is asserted here was read off Linux;
 * an in-memory kernel follows it.
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { applySuite } from "./kernel_apply.ts";
import { cascadeSuite } from "./kernel_cascade.ts";
import { eventSuite } from "./kernel_events.ts";
import { ipv6Suite } from "./kernel_ipv6.ts";
import { querySuite } from "./kernel_query.ts";
import { tunSuite } from "./kernel_tun.ts";
import { txChecksumSuite } from "./kernel_tx_checksum.ts";

/** One fresh network stack: nothing in it but `lo` and one up link with an address. */
export interface KernelSystem {
  /** A kernel on this stack. A second call gives another program's: what one does is foreign to the other. */
  kernel(): Kernel;
  /** Name of an up link whose only IPv4 address is `192.0.2.1/24`. */
  readonly underlay: string;
  /** Takes the stack away; kernels that are still open are closed. */
  close(): Promise<void>;
}

export interface KernelSuite {
  /** Begins the names of the tests. */
  readonly name: string;
  readonly open: () => Promise<KernelSystem>;
}

/** Registers the suite's tests with `Deno.test`. */
export function kernelSuite({ name, open }: KernelSuite): void {
  const register = (proves: string, body: (system: KernelSystem) => Promise<void>) =>
    Deno.test(`${name}: ${proves}`, async () => {
      const system = await open();
      try {
        await body(system);
      } finally {
        await system.close();
      }
    });
  applySuite(register);
  cascadeSuite(register);
  querySuite(register);
  eventSuite(register);
  ipv6Suite(register);
  tunSuite(register);
  txChecksumSuite(register);
}

/** Registers one test; the suite opens and closes the system around it. */
export type Register = (proves: string, body: (system: KernelSystem) => Promise<void>) => void;
