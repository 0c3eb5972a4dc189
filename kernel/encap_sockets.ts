/** The kernel's sockets for ESP in UDP as they are opened, handed on and seen. */

export interface EncapSockets {
  /**
   * Opens a socket at every IPv4 address of the host that takes ESP out of UDP, runs `spawn`, whose processes have the socket as well, and
   * closes it here. Throws KernelError: EADDRINUSE where somebody has the port, ENOPROTOOPT where the kernel does not do that.
   */
  handOn<T>(port: number, spawn: () => T): T;
  /** The inodes of the UDP sockets of this network namespace that take IPv4 packets to a port. */
  inodesAt(port: number): readonly string[];
  /** Resolves when a process has ended, or `signal` aborts; a process that cannot be watched never seems to end. */
  whenEnded(pid: number, signal: AbortSignal): Promise<void>;
}
