/**
 * The packets of `fixtures/packets/`: datagrams as they may come from the wire. Each file has one line
 * `# COUNTER: what it is` and then words of hex digits, of which `ab*3` stands for `ababab`. COUNTER is the counter
 * of ffi/proxy/counters.h under which a host with the subnet 10.244.1.0/24 counts the datagram, where it comes from
 * the host that owns 10.244.2.0/24; `in_packets` are those that it takes. No other subnets are leased. Those of
 * `fixtures/packets6/` come to a host with the subnet fd00:10:244::10.244.1.0/120 from that with
 * fd00:10:244::10.244.2.0/120.
 */
import type { Family } from "./library.ts";

const folders: Readonly<Record<Family, URL>> = {
  4: new URL("../../fixtures/packets/", import.meta.url),
  6: new URL("../../fixtures/packets6/", import.meta.url),
};

export interface PacketFixture {
  /** Of the file, without `.hex`. */
  readonly name: string;
  readonly counter: string;
  readonly what: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** All of them by name. Throws where a file is not of the form above. */
export function packetFixtures(family: Family = 4): PacketFixture[] {
  const folder = folders[family];
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".hex"))
    .map((name) => name.slice(0, -".hex".length)).sort().map((name) => {
      const [comment, ...lines] = Deno.readTextFileSync(new URL(`${name}.hex`, folder)).split("\n");
      const [, counter, what] = /^# (\w+): (.+)$/.exec(comment!) ?? [];
      if (counter === undefined || what === undefined) throw new Error(`${name} has no comment`);
      return { name, counter, what, bytes: bytesOf(lines.join(" ")) };
    });
}

function bytesOf(words: string): Uint8Array<ArrayBuffer> {
  const hex = words.split(/\s+/).filter((word) => word !== "").map((word) => {
    const [digits, times] = word.split("*");
    return digits!.repeat(Number(times ?? 1));
  });
  return Uint8Array.fromHex(hex.join(""));
}

/** Writes them anew, and takes away what else is there. */
export function writePacketFixtures(list: readonly PacketFixture[], family: Family): void {
  const folder = folders[family];
  for (const { name } of Deno.readDirSync(folder)) Deno.removeSync(new URL(name, folder));
  for (const fixture of list) {
    Deno.writeTextFileSync(new URL(`${fixture.name}.hex`, folder), textOf(fixture));
  }
}

function textOf({ counter, what, bytes }: PacketFixture): string {
  const lines = [`# ${counter}: ${what}`];
  // What is the same for long is written short.
  let tail = bytes.length;
  while (tail > 0 && bytes[tail - 1] === bytes.at(-1)) tail--;
  const isLong = bytes.length - tail > 16;
  const front = isLong ? bytes.subarray(0, tail) : bytes;
  for (let at = 0; at < front.length; at += 16) {
    lines.push(front.subarray(at, at + 16).toHex().replace(/(..)(?=.)/g, "$1 "));
  }
  if (isLong) lines.push(`${bytes.subarray(-1).toHex()}*${bytes.length - tail}`);
  return `${lines.join("\n")}\n`;
}
