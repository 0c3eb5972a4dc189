/** The sockets of one host's probes, as the code that uses them sees them. `ffi/probe_socket.ts` implements it. */

/** Takes what comes in. It must not keep `bytes`, which the next packet overwrites. */
export interface Arrivals {
  datagram(bytes: Uint8Array, from: Remote): void;
  /** An ICMP echo reply with its IPv4 header, or one of ICMPv6 without a header. */
  echo(packet: Uint8Array, from: string): void;
}

export interface Remote {
  readonly address: string;
  readonly port: number;
}

/** Both kinds of packets leave from one address, with "don't fragment" set and whatever size the kernel believes in. */
export interface ProbeSocket {
  /** Returns the errno name of what keeps the packet from being sent, or undefined. */
  sendDatagram(bytes: Uint8Array<ArrayBuffer>, to: Remote): string | undefined;
  /** The same for an ICMP message. */
  sendEcho(bytes: Uint8Array<ArrayBuffer>, to: string): string | undefined;
  /** Hands over what comes in, until the socket is closed. Throws FlanError where the kernel lets nobody wait. */
  receive(arrivals: Arrivals): Promise<void>;
  close(): void;
}

/** Throws KernelError with the errno name, EADDRNOTAVAIL where the host has no such address. */
export type OpenProbeSocket = (at: Remote) => ProbeSocket;
