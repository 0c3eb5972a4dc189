/**
 * The program with which tests exchange UDP datagrams between hosts: `echo PORT` sends back what it gets, `exchange
 * ADDRESS PORT FIRST LAST [STEP]` sends one of each size, and prints how many came back, and which came back changed;
 * `send ADDRESS PORT FROM FILE` sends each line of a file, a datagram in hex, from a port or ADDRESS:PORT.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

/** Path of this program. */
export const datagramsFile: string = new URL(import.meta.url).pathname;

export interface Exchange {
  readonly sizes: number;
  readonly unchanged: number;
  /** The first few sizes whose contents were others. */
  readonly changed: readonly number[];
  /** The first few sizes that did not come back. */
  readonly missing: readonly number[];
}

/** Bytes that are on the way at once: so few that no receive buffer overflows, and enough for batches. */
const WINDOW = 36_000;
/** Far above any round trip: only what is lost takes so long. */
const LOST_MS = 10_000;

/** Contents that tell one size from another, each byte another one than its neighbours. */
function contents(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = size * 2654435761 >>> 0; i < size; i++) {
    state = (state * 1664525 + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function bound(port: number, address?: string): Promise<Socket> {
  const socket = createSocket("udp4");
  const done = Promise.withResolvers<void>();
  socket.once("error", done.reject);
  socket.bind(port, address, done.resolve);
  await done.promise;
  return socket;
}

async function send(socket: Socket, bytes: Uint8Array, to: { address: string; port: number }): Promise<void> {
  const done = Promise.withResolvers<void>();
  socket.send(bytes, to.port, to.address, (error) => error === null ? done.resolve() : done.reject(error));
  await done.promise;
}

async function echo(port: number): Promise<void> {
  const socket = await bound(port);
  socket.on("message", (bytes: Uint8Array, from: RemoteInfo) => {
    socket.send(bytes, from.port, from.address);
  });
  console.log("echoing");
}

async function exchange(to: { address: string; port: number }, sizes: readonly number[]): Promise<Exchange> {
  const socket = await bound(0);
  const waiting = new Map<number, () => void>();
  const changed: number[] = [];
  let unchanged = 0;
  socket.on("message", (bytes: Uint8Array) => {
    if (!waiting.has(bytes.length)) return;
    if (same(bytes, contents(bytes.length))) unchanged++;
    else changed.push(bytes.length);
    waiting.get(bytes.length)!();
  });
  const missing: number[] = [];
  const rest = [...sizes];
  const worker = async () => {
    for (let size = rest.shift(); size !== undefined; size = rest.shift()) {
      const back = Promise.withResolvers<void>();
      const lost = setTimeout(back.reject, LOST_MS);
      waiting.set(size, back.resolve);
      await send(socket, contents(size), to);
      await back.promise.catch(() => missing.push(size!));
      clearTimeout(lost);
      waiting.delete(size);
    }
  };
  const workers = Math.max(1, Math.floor(WINDOW / sizes.at(-1)!));
  await Promise.all(Array.from({ length: workers }, worker));
  socket.close();
  return { sizes: sizes.length, unchanged, changed: changed.slice(0, 9), missing: missing.slice(0, 9) };
}

async function sendFile(to: { address: string; port: number }, from: string, file: string): Promise<void> {
  const [port, address] = from.split(":").reverse();
  const socket = await bound(Number(port), address);
  const lines = Deno.readTextFileSync(file).split("\n").slice(0, -1);
  for (const line of lines) await send(socket, Uint8Array.fromHex(line), to);
  socket.close();
}

if (import.meta.main) {
  const [mode, ...args] = Deno.args;
  if (mode === "echo") await echo(Number(args[0]));
  else {
    const to = { address: args[0]!, port: Number(args[1]) };
    if (mode === "send") await sendFile(to, args[2]!, args[3]!);
    else {
      const [first, last, step = 1] = args.slice(2).map(Number) as [number, number, number?];
      const sizes = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
      console.log(JSON.stringify(await exchange(to, sizes)));
    }
  }
}
