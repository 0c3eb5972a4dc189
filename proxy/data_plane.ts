/** What carries the packets, as the proxy's server sees it. `ffi/proxy.ts` implements it, tests fake it. */
import type { KernelError } from "../net/errors.ts";
import type { Settings, Way } from "./protocol.ts";

export interface DataPlane {
  /**
   * Opens the TUN queues and the sockets, and carries packets from then on. Throws KernelError with the errno of what
   * cannot be opened; nothing stays open then.
   */
  open(settings: Settings, routes: readonly Way[]): Carrier;
  /** What it counts, in the order in which it is shown. */
  counterNames(): readonly string[];
}

/** An open data plane. Its methods return at once, whatever traffic there is, and throw KernelError. */
export interface Carrier {
  /** Takes what needs no other descriptors: subnet, source and the check of sources. */
  configure(settings: Settings): void;
  /** Removes, then puts. Where it throws, nothing has changed. */
  change(put: readonly Way[], remove: readonly string[]): void;
  /** By name, since it was opened. */
  counters(): Readonly<Record<string, number>>;
  /** Names of what makes it fast and is in use: `tun-offload`, `udp-gro`, … */
  features(): readonly string[];
  /** Whether the link's name still is that of the device it reads: one that is renamed or deleted may have a successor. */
  serves(): boolean;
  /** Resolves when it carries nothing any more: to why, or to undefined after {@link close}. */
  readonly ended: Promise<KernelError | undefined>;
  /** Stops, gives every descriptor back, and resolves to the counters as they were at the end. */
  close(): Promise<Readonly<Record<string, number>>>;
}
