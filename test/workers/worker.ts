/**
 * The C library's workers with a scripted kernel, in a process of their own under sanitizers: what goes in as lines
 * of a script (ffi/proxy/test/worker_main.c), and what came out of it.
 */
import assert from "node:assert/strict";
import { build } from "../../tasks/build.ts";
import { ttlAt } from "../packets/headers.ts";
import { type Offload, offloadBytes } from "../packets/library.ts";
import { withHeaderChecksum } from "../packets/packets.ts";

/** What one call gave to the kernel. */
export interface Message {
  /** `send` of many at once, `sendto` of one, or `icmp` by the raw socket. */
  readonly call: "send" | "sendto" | "icmp";
  /** Address and port. */
  readonly to: string;
  /** As the receiver gets them: one, or as many as the segment size makes of the bytes. */
  readonly packets: readonly Uint8Array[];
}

export interface Written {
  readonly offload: Offload;
  readonly packet: Uint8Array;
}

export interface Told {
  /** All of it, in order; bytes are left out. */
  readonly events: readonly string[];
  readonly messages: readonly Message[];
  readonly writes: readonly Written[];
  readonly counters: Readonly<Record<string, number>>;
}

/** enum flan_feature. */
export const features = {
  tunOffload: 1,
  tunUso: 2,
  udpSegment: 4,
  udpGro: 8,
  joinTcp: 16,
  joinUdp: 32,
  all: 63,
} as const;

/** Two peers, each with a subnet. */
export const peers = { first: "192.0.2.2", second: "192.0.2.3" } as const;
export const way = [
  "settings 10.244.1.0 10.244.1.0 24 1",
  `route 10.244.2.0 24 ${peers.first} 8285`,
  `route 10.244.3.0 24 ${peers.second} 8285`,
];
/** The same of IPv6; their packets are IPv4 ones, translated. */
export const peers6 = { first: "2001:db8::2", second: "2001:db8::3" } as const;
const subnet6 = (host: number) => `fd00:10:244::10.244.${host}.0`;
export const way6 = [
  "family 6",
  `settings ${subnet6(1)} ${subnet6(1)} 120 1`,
  `route ${subnet6(2)} 120 ${peers6.first} 8285`,
  `route ${subnet6(3)} 120 ${peers6.second} 8285`,
];
export const opened6 = (mask: number = features.all) => [...way6, `open ${mask}`];

/** Both, opened with all features or with some. */
export const opened = (mask: number = features.all) => [...way, `open ${mask}`];

const plain: Offload = { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 };

/** A line with what the TUN hands over. */
export function frame(packet: Uint8Array, offload: Offload = plain): string {
  return `frame ${offloadBytes(offload).toHex()}${packet.toHex()}`;
}

interface Arrival {
  readonly from?: string;
  readonly port?: number;
  /** What UDP_GRO tells; `none` or `other` where it does not. */
  readonly control?: number | "none" | "other";
}

/** A line with what comes to the socket: packets one behind the other, in one message. */
export function datagram(
  packets: readonly Uint8Array[],
  { from = peers.first, port = 8285, control }: Arrival = {},
): string {
  const told = control ?? (packets.length > 1 ? packets[0]!.length : "none");
  return `datagram ${from} ${port} ${told} ${packets.map((packet) => packet.toHex()).join("")}`;
}

/** What a router hands on: the TTL or hop limit is one less. */
export function forwarded(packet: Uint8Array): Uint8Array {
  const copy = new Uint8Array(packet);
  copy[ttlAt(copy)]!--;
  return withHeaderChecksum(copy);
}

export type Build = "worker" | "worker-threads";

const built = new Map<Build, ReturnType<typeof build>>();

function builtOnce(variant: Build): ReturnType<typeof build> {
  const known = built.get(variant) ?? build(variant);
  built.set(variant, known);
  return known;
}

/** Runs a script to its end, and reads what was told. Fails where a sanitizer or the kernel found something. */
export async function carry(script: readonly string[], variant: Build = "worker"): Promise<Told> {
  const { path } = await builtOnce(variant);
  const child = new Deno.Command(path, { stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const output = child.output();
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode([...script, "counters", ""].join("\n")));
  await stdin.close();
  const { code, signal, stdout, stderr } = await output;
  const error = new TextDecoder().decode(stderr);
  assert.deepEqual({ code, signal, error }, { code: 0, signal: null, error: "" });
  return toldBy(new TextDecoder().decode(stdout).split("\n").filter((line) => line !== ""));
}

function toldBy(lines: readonly string[]): Told {
  const events: string[] = [];
  const messages: Message[] = [];
  const writes: Written[] = [];
  const counters: Record<string, number> = {};
  for (const line of lines) {
    const [what, ...words] = line.split(" ") as [string, ...string[]];
    const bytes = () => Uint8Array.fromHex(words.at(-1)!);
    if (what === "write") writes.push(writtenOf(bytes()));
    else if (what === "counter") counters[words[0]!] = Number(words[1]);
    else if (what === "send" || what === "sendto" || what === "icmp") {
      messages.push({
        call: what,
        to: `${words[0]}:${words[1]}`,
        packets: segments(bytes(), Number(words[2])),
      });
    }
    if (what !== "counter") events.push(/[0-9a-f]{32}$/.test(line) ? what : line);
  }
  return { events, messages, writes, counters };
}

/** A message cut as UDP_SEGMENT says. */
function segments(bytes: Uint8Array, size: number): Uint8Array[] {
  if (size === 0) return [bytes];
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function writtenOf(bytes: Uint8Array): Written {
  const view = new DataView(bytes.buffer);
  const [headers, size, start, offset] = [2, 4, 6, 8].map((at) => view.getUint16(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  return {
    offload: { flags: bytes[0]!, type: bytes[1]!, headers, size, start, offset },
    packet: bytes.subarray(10),
  };
}

/** The packets that went by sendmmsg, in order, in hex. */
export const sent = (told: Told): string[] =>
  hex(told.messages.filter(({ call }) => call === "send").flatMap(({ packets }) => packets));

export const hex = (packets: readonly Uint8Array[]): string[] => packets.map((packet) => packet.toHex());

/** What was told of calls that begin so. */
export const calls = (told: Told, what: string) => told.events.filter((event) => event.startsWith(what));

/** Counters of what was dropped, and of ICMP. */
export const counted = ({ counters }: Told) =>
  Object.fromEntries(Object.entries(counters).filter(([name]) => /drop|icmp/.test(name)));

/** The packets that went in either way, in order, in hex. */
export const inOrder = (told: Told) =>
  hex(told.messages.filter(({ call }) => call !== "icmp").flatMap(({ packets }) => packets));
