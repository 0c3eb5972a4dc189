/**
 * The program that sends and answers in the soak: `serve ADDRESS PORT`, and `flow ADDRESS PORT SEED`, which prints what
 * came of its packets as a line of JSON each second. At SIGTERM a flow sends nothing more, and ends with a last line when
 * it knows of each packet and block what became of it.
 */
import { createHash } from "node:crypto";
import dgram from "node:dgram";
import { closeQuietly } from "../../control/lines.ts";
import { between, seeded } from "./random.ts";

/** What has happened since the line before. Times are milliseconds since 1970. */
export interface FlowNews {
  /** When this was told. */
  readonly at: number;
  /** Numbered datagrams: in the end each that was sent was answered or lost. */
  readonly sent: number;
  readonly answered: number;
  /** When each of those was sent that had no answer in {@link WAIT_MS}. */
  readonly lost: readonly number[];
  /** Answered after that time. */
  readonly late: number;
  readonly duplicates: number;
  /** Answers with other bytes than were sent. */
  readonly damaged: number;
  /** TCP: blocks whose checksum came back, and those of which a wrong one did. */
  readonly blocks: number;
  readonly wrong: number;
  readonly bytes: number;
  /** Connections that ended before they should: when, and why. */
  readonly broken: readonly { readonly at: number; readonly why: string }[];
  /** Milliseconds from the first byte of a block to its checksum. */
  readonly slowest: number;
}

/** Path of this program. */
export const flowFile: string = new URL(import.meta.url).pathname;

/** A datagram every so often, and after so long without an answer it is lost. */
const EVERY_MS = 10;
export const WAIT_MS = 5000;
/** Bytes of payload: the MTU of the overlay is 1472. */
const SMALLEST = 16;
const LARGEST = 1400;
/** A block of TCP every so often, of so many bytes at most. */
const BLOCK_MS = 50;
const LARGEST_BLOCK = 512 * 1024;
/** A connection may stand still while TCP backs off after an outage; longer than that it is dead. */
const PATIENCE_MS = 60_000;

type Mutable = { -readonly [K in keyof FlowNews]: FlowNews[K] } & {
  lost: number[];
  broken: { at: number; why: string }[];
};

const nothing = (): Mutable => ({
  at: 0,
  sent: 0,
  answered: 0,
  lost: [],
  late: 0,
  duplicates: 0,
  damaged: 0,
  blocks: 0,
  wrong: 0,
  bytes: 0,
  broken: [],
  slowest: 0,
});
let news = nothing();

function tell(): void {
  console.log(JSON.stringify({ ...news, at: Date.now() }));
  news = nothing();
}

/** Bytes that follow from a number alone: who knows the number knows what must come back. */
export function payload(number: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
  const words = new Uint32Array(bytes.buffer);
  let state = Math.imul(number + 1, 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return bytes.subarray(0, length);
}

/** A datagram: its number, and what follows from it. */
export function datagram(number: number): Uint8Array<ArrayBuffer> {
  const bytes = payload(number, SMALLEST + number * 997 % (LARGEST - SMALLEST + 1));
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function serve(address: string, port: number): void {
  const echo = dgram.createSocket("udp4");
  echo.on("message", (bytes, from) => echo.send(bytes, from.port, from.address));
  echo.on("error", (error) => console.error(error.message));
  echo.bind(port, address, () => console.log("serving"));
  (async () => {
    for await (const conn of Deno.listen({ hostname: address, port })) {
      checksums(conn).catch((error) => console.error(String(error))).finally(() => conn.close());
    }
  })();
}

/** Answers each block with its SHA-256. A block is its length in 4 bytes, and so many bytes. */
async function checksums(conn: Deno.TcpConn): Promise<void> {
  const take = reader(conn);
  while (true) {
    const head = await take(4);
    if (head === undefined) return;
    const bytes = await take(new DataView(head.buffer).getUint32(0));
    if (bytes === undefined) return;
    await writeAll(conn, createHash("sha256").update(bytes).digest());
  }
}

/** Takes so many bytes from a connection, or undefined where it ends before. */
function reader(conn: Deno.TcpConn): (count: number) => Promise<Uint8Array<ArrayBuffer> | undefined> {
  return async (count) => {
    const bytes = new Uint8Array(count);
    for (let have = 0; have < count;) {
      const more = await conn.read(bytes.subarray(have));
      if (more === null) return undefined;
      have += more;
    }
    return bytes;
  };
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

/** Sends numbered datagrams until `stop`, and sees what comes back; resolves when none of them is under way any more. */
async function exchange(address: string, { port, stop }: { port: number; stop: AbortSignal }): Promise<void> {
  const socket = dgram.createSocket("udp4");
  const waiting = new Map<number, number>();
  const lost = new Set<number>();
  const done = Promise.withResolvers<void>();
  socket.on("error", (error) => console.error(error.message));
  socket.on("message", (bytes: Uint8Array) => {
    const number = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (waiting.delete(number)) news.answered++;
    else if (lost.delete(number)) news.late++;
    else return void news.duplicates++;
    const wanted = datagram(number);
    if (bytes.length !== wanted.length || bytes.some((byte, i) => byte !== wanted[i])) news.damaged++;
  });
  let number = 0;
  const timer = setInterval(() => {
    const now = Date.now();
    for (const [old, at] of waiting) {
      if (at > now - WAIT_MS) break;
      waiting.delete(old);
      lost.add(old);
      news.lost.push(at);
    }
    if (stop.aborted) return waiting.size === 0 ? done.resolve() : undefined;
    waiting.set(number, now);
    news.sent++;
    // A refusal is a loss like any other: there is no answer.
    socket.send(datagram(number++), port, address, () => {});
  }, EVERY_MS);
  await done.promise;
  clearInterval(timer);
}

/** Sends blocks over one connection for as long as it lasts, or until `stop`. */
async function stream(
  conn: Deno.TcpConn,
  { random, stop }: { random: () => number; stop: AbortSignal },
): Promise<void> {
  const take = reader(conn);
  for (let number = 0; !stop.aborted; number++) {
    const bytes = payload(number, Math.floor(between(random, 1, LARGEST_BLOCK)));
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, bytes.length);
    const begun = Date.now();
    const deadline = setTimeout(() => closeQuietly(conn), PATIENCE_MS);
    try {
      const answer = take(32);
      answer.catch(() => {});
      await writeAll(conn, head);
      await writeAll(conn, bytes);
      const checksum = await answer;
      if (checksum === undefined) throw new Error("the other side ended it");
      const wanted = createHash("sha256").update(bytes).digest();
      if (wanted.some((byte, i) => byte !== checksum[i])) news.wrong++;
    } finally {
      clearTimeout(deadline);
    }
    news.blocks++;
    news.bytes += bytes.length;
    news.slowest = Math.max(news.slowest, Date.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, BLOCK_MS));
  }
}

async function streams(
  address: string,
  { port, seed, stop }: { port: number; seed: number; stop: AbortSignal },
): Promise<void> {
  const random = seeded(seed);
  while (!stop.aborted) {
    try {
      using conn = await Deno.connect({ hostname: address, port });
      await stream(conn, { random, stop });
    } catch (error) {
      news.broken.push({ at: Date.now(), why: error instanceof Error ? error.message : String(error) });
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Resolves when a flow that was told to stop knows all, or has had its time. */
async function flow(address: string, { port, seed }: { port: number; seed: number }): Promise<void> {
  const stop = new AbortController();
  const late = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGTERM", () => {
    stop.abort();
    setTimeout(() => {
      news.broken.push({ at: Date.now(), why: `it did not end in ${PATIENCE_MS} ms` });
      late.resolve();
    }, PATIENCE_MS);
  });
  setInterval(tell, 1000);
  const { signal } = stop;
  const all = [exchange(address, { port, stop: signal }), streams(address, { port, seed, stop: signal })];
  await Promise.race([Promise.all(all), late.promise]);
  tell();
}

if (import.meta.main) {
  const [mode, address, port, seed] = Deno.args as [string, string, string, string];
  if (mode === "serve") serve(address, Number(port));
  else {
    await flow(address, { port: Number(port), seed: Number(seed) });
    Deno.exit(0);
  }
}
