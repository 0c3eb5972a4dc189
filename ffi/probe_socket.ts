/** The UDP and the ICMP socket of one host's probes, of either family: man 7 udp, raw, ip, ipv6. */
import { KernelError } from "../net/errors.ts";
import { type Family, familyOf } from "../net/ip.ts";
import { placeOf } from "../net/place.ts";
import type { Arrivals, ProbeSocket, Remote } from "../probe/socket.ts";
import { errnoName, errnoNumber, errnoText } from "./errno.ts";
import {
  bind,
  closeFd,
  eventfd,
  libc,
  recvfrom,
  sendto,
  setsockopt,
  type SocketOption,
  SOL_SOCKET,
} from "./libc.ts";
import { readable } from "./readable.ts";
import {
  addressIn,
  IPPROTO_ICMPV6,
  IPPROTO_IPV6,
  openIcmpSocket,
  openUdpSocket,
  SOCKET_ADDRESS_BYTES,
  socketAddress,
} from "./udp_socket.ts";

const EFD_CLOEXEC = 0o2000000;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
/** Of linux/in6.h. */
const IPV6_MTU_DISCOVER = 23;
/**
 * Keeps this host and IPv4's routers from dividing packets, and ignores the path MTU that the kernel has heard of: it may
 * be what is to be found out.
 */
const PMTUDISC_PROBE = 3;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
/** A bit for each ICMP type that is kept away: all but the echo reply, 0 (linux/icmp.h). */
const NOT_ECHO_REPLY = ~1;
/** The same of ICMPv6, whose echo reply is 129: struct icmp6_filter of linux/icmpv6.h, 256 bits. */
const ICMPV6_FILTER = 1;
const NOT_ECHO_REPLY6 = Int32Array.of(-1, -1, -1, -1, ~(1 << (129 % 32)), -1, -1, -1);

/** What is set on both sockets, and what comes in on the one for ICMP. */
const options: Readonly<Record<Family, { both: SocketOption; filter: SocketOption }>> = {
  4: {
    both: { level: IPPROTO_IP, name: IP_MTU_DISCOVER, value: PMTUDISC_PROBE },
    filter: { level: SOL_RAW, name: ICMP_FILTER, value: NOT_ECHO_REPLY },
  },
  6: {
    both: { level: IPPROTO_IPV6, name: IPV6_MTU_DISCOVER, value: PMTUDISC_PROBE },
    filter: { level: IPPROTO_ICMPV6, name: ICMPV6_FILTER, value: NOT_ECHO_REPLY6 },
  },
};

const MSG_DONTWAIT = 0x40;
/** Several hundred full-size probes that come at once, when every host measures every other one. */
const BUFFER_BYTES = 4 << 20;
/** A packet of either family has no more. */
const MAX_PACKET = 65_536;
/** Packets that are taken in before others get a turn. */
const MAX_AT_ONCE = 500;

const EINTR = errnoNumber("EINTR")!;

/**
 * Opens both, bound to `address`; where raw sockets are not permitted, without the one for ICMP. Throws KernelError
 * with the errno name.
 */
export function openProbeSocket(at: Remote): ProbeSocket {
  const family = familyOf(at.address);
  const fds = { udp: openUdpSocket({ ...at, shared: false }), icmp: openIcmpSocket(family), wake: -1 };
  try {
    must(at, fds.udp);
    prepare(fds.udp, at);
    if (fds.icmp >= 0) {
      must(at, setsockopt(fds.icmp, options[family].filter));
      must(at, bind(fds.icmp, socketAddress(at.address, 0)));
      prepare(fds.icmp, at);
    }
    fds.wake = must(at, eventfd(EFD_CLOEXEC));
    return new LinuxProbeSocket(fds);
  } catch (error) {
    closeAll(fds);
    throw error;
  }
}

function prepare(fd: number, at: Remote): void {
  must(at, setsockopt(fd, options[familyOf(at.address)].both));
  // Both need CAP_NET_ADMIN, which whoever makes the overlay has; what does not fit is a lost probe.
  setsockopt(fd, { level: SOL_SOCKET, name: SO_SNDBUFFORCE, value: BUFFER_BYTES });
  setsockopt(fd, { level: SOL_SOCKET, name: SO_RCVBUFFORCE, value: BUFFER_BYTES });
}

function must({ address, port }: Remote, result: number): number {
  if (result >= 0) return result;
  const errno = errnoName(-result);
  throw new KernelError(
    `Cannot probe from ${placeOf({ hostname: address, port })}: ${errnoText(-result)} (${errno})`,
    errno,
    {
      op: "probe.open",
    },
  );
}

/** Descriptors; `icmp` is negative where there is none: `-errno`. */
interface Descriptors {
  readonly udp: number;
  readonly icmp: number;
  /** An event counter that ends a wait. */
  readonly wake: number;
}

function closeAll(fds: Descriptors): void {
  for (const fd of [fds.udp, fds.icmp, fds.wake]) if (fd >= 0) closeFd(fd);
}

class LinuxProbeSocket implements ProbeSocket {
  readonly #fds: Descriptors;
  readonly #bytes = new Uint8Array(MAX_PACKET);
  readonly #sender = new Uint8Array(SOCKET_ADDRESS_BYTES);
  #isOpen = true;
  #isReceiving = false;

  constructor(fds: Descriptors) {
    this.#fds = fds;
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>, { address, port }: Remote): string | undefined {
    return this.#send(this.#fds.udp, bytes, socketAddress(address, port));
  }

  sendEcho(bytes: Uint8Array<ArrayBuffer>, to: string): string | undefined {
    return this.#send(this.#fds.icmp, bytes, socketAddress(to, 0));
  }

  #send(fd: number, bytes: Uint8Array<ArrayBuffer>, address: Uint8Array<ArrayBuffer>): string | undefined {
    // The number may be another descriptor's by now.
    if (!this.#isOpen) return "EBADF";
    const result = fd < 0 ? fd : sendto(fd, bytes, { flags: MSG_DONTWAIT, address });
    return result < 0 ? errnoName(-result) : undefined;
  }

  async receive(arrivals: Arrivals): Promise<void> {
    const { udp, icmp, wake } = this.#fds;
    this.#isReceiving = true;
    try {
      while (this.#isOpen) {
        await readable(...[udp, icmp, wake].filter((fd) => fd >= 0));
        this.#drain(udp, (packet) => arrivals.datagram(packet, addressIn(this.#sender)));
        if (icmp >= 0) this.#drain(icmp, (packet) => arrivals.echo(packet, addressIn(this.#sender).address));
      }
    } finally {
      this.#isOpen = false;
      this.#isReceiving = false;
      closeAll(this.#fds);
    }
  }

  #drain(fd: number, take: (packet: Uint8Array) => void): void {
    for (let count = 0; count < MAX_AT_ONCE && this.#isOpen; count++) {
      const length = recvfrom(fd, this.#bytes, { flags: MSG_DONTWAIT, address: this.#sender });
      // Nothing is left, or an error for what was sent before, which says nothing that silence does not.
      if (length < 0 && length !== -EINTR) return;
      if (length >= 0) take(this.#bytes.subarray(0, length));
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // Who receives closes the descriptors when it wakes: they must not be another's while it waits for them.
    if (this.#isReceiving) libc().eventfd_write(this.#fds.wake, 1n);
    else closeAll(this.#fds);
  }
}
