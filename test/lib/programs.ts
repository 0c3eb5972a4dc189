/** The small C programs of this folder, compiled with the system's compiler for as long as a lab stands. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import type { HostProcess } from "./host_process.ts";
import type { Hosts } from "./hosts.ts";

export type Program = "datagram_bursts" | "plain_peer" | "raw_packets";

const compilations = new WeakMap<Hosts, Map<Program, Promise<string>>>();

/** Path of the program, which is compiled once a lab and goes with it. */
export async function program(hosts: Hosts, name: Program): Promise<string> {
  const done = compilations.get(hosts) ?? new Map<Program, Promise<string>>();
  compilations.set(hosts, done);
  const path = done.get(name) ?? compile(name, `${hosts.lab.directory}/${name}`);
  done.set(name, path);
  return await path;
}

async function compile(name: Program, path: string): Promise<string> {
  const source = new URL(`${name}.c`, import.meta.url).pathname;
  await must(["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, source]);
  return path;
}

/** Sends whole IPv4 packets from a host, each to the destination in its header. */
export async function sendRaw(hosts: Hosts, host: LabHost, packets: readonly Uint8Array[]): Promise<void> {
  const { code, stderr } = await hosts.lab.on(host, await sender(hosts, "send", packets));
  if (code !== 0) throw new Error(stderr);
}

/** Sends one packet without end; the program goes with the test, or with its `end`. */
export async function flood(hosts: Hosts, host: LabHost, packet: Uint8Array): Promise<HostProcess> {
  return hosts.start(host, await sender(hosts, "flood", [packet]));
}

async function sender(
  hosts: Hosts,
  mode: "send" | "flood",
  packets: readonly Uint8Array[],
): Promise<readonly string[]> {
  const file = Deno.makeTempFileSync({ dir: hosts.lab.directory });
  Deno.writeTextFileSync(file, packets.map((packet) => `${packet.toHex()}\n`).join(""));
  return ["sh", "-c", 'exec "$0" "$1" <"$2"', await program(hosts, "raw_packets"), mode, file];
}

/** Listens on a link from now on. */
export async function capture(hosts: Hosts, host: LabHost, link: string): Promise<Capture> {
  const process = hosts.start(host, [await program(hosts, "raw_packets"), "capture", link]);
  await process.out.line(/^capturing$/);
  return new Capture(process);
}

/** The bytes of an echo request that ends a capture, in hex. */
const MARK = "f1a0c0de";

export class Capture {
  readonly #process: HostProcess;

  constructor(process: HostProcess) {
    this.#process = process;
  }

  /** All packets that came in so far. */
  get packets(): Uint8Array[] {
    return this.#process.out.lines.slice(1).map((line) => Uint8Array.fromHex(line));
  }

  /** Resolves when a packet has come in whose hex text matches. */
  async sees(pattern: RegExp): Promise<void> {
    await this.#process.out.line(pattern, 1);
  }

  /** Resolves when all that came in before now is in {@link packets}: when a ping from `from` is. */
  async settled(hosts: Hosts, from: LabHost, to: string): Promise<void> {
    const mark = this.#process.out.lines.length;
    await hosts.lab.on(from, ["ping", "-n", "-c", "1", "-W", "10", "-p", MARK, to]);
    await this.#process.out.line(new RegExp(MARK.repeat(2)), mark);
  }
}
