/**
 * The program with which tests move bytes between hosts: `receive PORT [HOSTNAME]`, and `send PORT MIB SEED ADDRESS…`, which
 * prints, for each address, what was sent and what the receiver says has arrived.
 */
import { createHash } from "node:crypto";

export interface Transfer {
  readonly address: string;
  /** Bytes and SHA-256, as `104857600 ab12…`. */
  readonly sent: string;
  readonly received: string;
}

/** Path of this program. */
export const streamFile: string = new URL(import.meta.url).pathname;

/** A MiB of pseudo-random words (xorshift, Marsaglia 2003); returns the state to go on with. */
function fill(words: Uint32Array, state: number): number {
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return state;
}

async function receive(port: number, hostname = "0.0.0.0"): Promise<void> {
  const listener = Deno.listen({ hostname, port });
  console.log("listening");
  for await (const conn of listener) {
    digest(conn).catch((error) => console.error(error)).finally(() => conn.close());
  }
}

async function digest(conn: Deno.TcpConn): Promise<void> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(1 << 20);
  let total = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    hash.update(buffer.subarray(0, n));
    total += n;
  }
  await conn.write(new TextEncoder().encode(`${total} ${hash.digest("hex")}`));
}

async function send(
  address: string,
  { port, mebibytes, seed }: { port: number; mebibytes: number; seed: number },
): Promise<Transfer> {
  const conn = await Deno.connect({ hostname: address, port });
  const hash = createHash("sha256");
  const words = new Uint32Array(1 << 18);
  const bytes = new Uint8Array(words.buffer);
  let state = seed;
  for (let i = 0; i < mebibytes; i++) {
    state = fill(words, state);
    hash.update(bytes);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
  }
  await conn.closeWrite();
  const received = await new Response(conn.readable).text();
  return { address, sent: `${mebibytes << 20} ${hash.digest("hex")}`, received };
}

if (import.meta.main) {
  const [mode, port, mebibytes, seed, ...addresses] = Deno.args;
  if (mode === "receive") await receive(Number(port), mebibytes);
  else {
    const transfers: Transfer[] = [];
    for (const [i, address] of addresses.entries()) {
      transfers.push(
        await send(address, { port: Number(port), mebibytes: Number(mebibytes), seed: Number(seed) + i }),
      );
    }
    console.log(JSON.stringify(transfers));
  }
}
