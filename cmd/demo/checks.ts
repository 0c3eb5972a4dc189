/**
 * What the demo proves: every host reaches every other host's subnet by ICMP from its own, and by TCP from an address of
 * the overlay or, where there is no device to give it one, from its own.
 */
import { contains, parseCidr, parseIp } from "../../net/ip.ts";
import { programFile } from "../../net/own_files.ts";
import { denoFile } from "../self.ts";
import type { Lab, LabHost } from "./lab.ts";

const PORT = 7007;

/** A host of the demo with what it got. */
export interface Member extends LabHost {
  /** Its subnet, and the address in it that stands for a container. */
  readonly subnet: string;
  readonly container: string;
}

export interface Cell {
  /** Milliseconds, or undefined if the ping was lost. */
  readonly rtt: number | undefined;
  /** Whether TCP arrived, from the address that the sender should have. */
  readonly tcp: boolean;
}

/** `matrix[from][to]`; the diagonal is undefined. */
export type Matrix = readonly (readonly (Cell | undefined)[])[];

function probe(args: readonly (string | number)[]): string[] {
  return [
    denoFile,
    "run",
    "--quiet",
    "--allow-net",
    programFile("cmd/demo/probe.ts"),
    ...args.map(String),
  ];
}

/** Starts the TCP server on every host. They end with the lab. */
export async function startServers(lab: Lab, members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(async (member) => {
    const [program, ...args] = lab.command(member, probe(["serve", PORT]));
    // It may outlive the demo (--keep), and must not hold on to whatever the demo's output goes to.
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    child.unref();
    await child.stdout.getReader().read();
  }));
}

/** Without a `device` of the backend hosts speak from their addresses on the underlay. */
export async function reachability(
  lab: Lab,
  members: readonly Member[],
  { device }: { device: string },
): Promise<Matrix> {
  return await Promise.all(members.map(async (from) => {
    const targets = members.map((to) => to.container);
    const asked = await lab.on(from, probe(["who", PORT, ...targets]));
    const seen = asked.code === 0 ? JSON.parse(asked.stdout) as string[] : [];
    return await Promise.all(members.map(async (to, i) => {
      if (to === from) return undefined;
      const rtt = await ping(lab, from, to.container);
      return { rtt, tcp: isFrom(seen[i], device === "" ? `${from.address}/32` : from.subnet) };
    }));
  }));
}

/** Bytes a second from the first to the second host: through the overlay, and on the bare underlay. */
export async function throughput(
  lab: Lab,
  [from, to]: readonly [Member, Member],
): Promise<{ overlay: number; underlay: number }> {
  const measure = async (address: string) =>
    Number((await lab.on(from, probe(["flood", PORT, address, 700]))).stdout);
  return { underlay: await measure(to.address), overlay: await measure(to.container) };
}

/** Round-trip time of the second of two pings (the first may wait for a neighbour). */
async function ping(lab: Lab, from: Member, address: string): Promise<number | undefined> {
  const { code, stdout } = await lab.on(from, [
    "ping",
    "-c",
    "2",
    "-i",
    "0.05",
    "-W",
    "2",
    "-I",
    from.container,
    address,
  ]);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  return code === 0 ? times.at(-1) : undefined;
}

function isFrom(address: string | undefined, subnet: string): boolean {
  return address !== undefined && address !== "" && contains(parseCidr(subnet), parseIp(address));
}
