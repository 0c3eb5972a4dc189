/** Hosts that probe one another in memory, on a clock that stands still: every packet passes whom a test may ask. */
import type { Target } from "../../probe/measure.ts";
import { familyOf } from "../../net/ip.ts";
import { HEADERS, IP_HEADER } from "../../probe/packet.ts";
import { Session } from "../../probe/session.ts";
import type { Arrivals, ProbeSocket, Remote } from "../../probe/socket.ts";
import type { FakeClock } from "./fake_clock.ts";

export interface Passing {
  readonly from: string;
  readonly to: string;
  /** Bytes with its headers. */
  readonly size: number;
  readonly how: "udp" | "icmp";
}

const PORT = 8473;
/** Types of an echo's messages by family (RFC 792, 4443). */
const REQUEST = { 4: 8, 6: 128 };
const REPLY = { 4: 0, 6: 129 };

/** How long a packet is under way, milliseconds. */
const DELAY_MS = 2;

class FakeSocket implements ProbeSocket {
  readonly #net: FakeProbeNet;
  readonly address: string;
  arrivals: Arrivals | undefined;
  readonly #closed = Promise.withResolvers<void>();

  constructor(net: FakeProbeNet, address: string) {
    this.#net = net;
    this.address = address;
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>, to: Remote): string | undefined {
    return this.#net.carry(bytes, { from: this.address, to: to.address, how: "udp" });
  }

  sendEcho(bytes: Uint8Array<ArrayBuffer>, to: string): string | undefined {
    return this.#net.carry(bytes, { from: this.address, to, how: "icmp" });
  }

  async receive(arrivals: Arrivals): Promise<void> {
    this.arrivals = arrivals;
    await this.#closed.promise;
  }

  close(): void {
    this.arrivals = undefined;
    this.#closed.resolve();
  }
}

export class FakeProbeNet {
  readonly #clock: FakeClock;
  readonly #sockets = new Map<string, FakeSocket>();
  readonly #hosts = new Set<string>();
  /** Everything that was sent. */
  readonly sent: Passing[] = [];
  /** Whether a packet gets through. */
  passes: (packet: Passing) => boolean = () => true;
  /** The errno name of what cannot even be sent. */
  refuses: (packet: Passing) => string | undefined = () => undefined;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** A socket of a host that answers echoes by itself, as kernels do. */
  open(address: string): ProbeSocket {
    const socket = new FakeSocket(this, address);
    this.#sockets.set(address, socket);
    this.addHost(address);
    return socket;
  }

  /** A host without an agent. */
  addHost(address: string): void {
    this.#hosts.add(address);
  }

  /** An agent's session with these peers; it is closed with the net. */
  session(address: string, targets: readonly Target[], mtu = 1450): Session {
    const at = { address, port: PORT };
    const session = new Session(this.open(address), {
      at,
      clock: this.#clock,
      toldMtu: (to) => Promise.resolve(this.told.get(to) ?? 0),
    });
    session.follow({ targets, mtu });
    session.run();
    return session;
  }

  /** Path MTUs that the kernels have heard of, by destination. */
  readonly told = new Map<string, number>();

  carry(
    bytes: Uint8Array<ArrayBuffer>,
    way: { from: string; to: string; how: "udp" | "icmp" },
  ): string | undefined {
    const family = familyOf(way.to);
    const headers = way.how === "udp" ? HEADERS : IP_HEADER;
    const packet = { ...way, size: bytes.length + headers[family] };
    const refused = this.refuses(packet);
    if (refused !== undefined) return refused;
    this.sent.push(packet);
    if (!this.passes(packet) || !this.#hosts.has(way.to)) return undefined;
    const copy = bytes.slice();
    this.#clock.sleep(DELAY_MS).then(() => {
      if (way.how === "udp") {
        this.#sockets.get(way.to)?.arrivals?.datagram(copy, { address: way.from, port: PORT });
      } else if (copy[0] === REQUEST[family]) {
        copy[0] = REPLY[family];
        this.carry(copy, { from: way.to, to: way.from, how: "icmp" });
      } else {
        const header = new Uint8Array(family === 4 ? IP_HEADER[4] : 0).fill(0x45, 0, 1);
        this.#sockets.get(way.to)?.arrivals?.echo(Uint8Array.of(...header, ...copy), way.from);
      }
    });
    return undefined;
  }
}

/** The address of host `n` in the overlay. */
export const at = (n: number) => `10.5.${n}.0`;
export const at6 = (n: number) => `fd00:5:0:${n}::`;

/** Hosts of flan's, all but `self`. */
export const others = (count: number, self: number, address = at): Target[] =>
  Array.from({ length: count }, (_, i) => i + 1).filter((n) => n !== self)
    .map((n) => ({ address: address(n), isFlan: true }));
