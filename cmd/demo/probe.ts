/**
 * The program that the demo runs on its hosts: a TCP server that says whom it sees, and a client that asks.
 * Throughput is measured with it too, through the overlay and beside it alike.
 */

/** Length of one throughput measurement. */
const BLOCK = new Uint8Array(1 << 20);

/** Serves until it is killed: the first byte says whether to answer with the client's address or to swallow. */
async function serve(address: string, port: number): Promise<void> {
  const listener = Deno.listen({ hostname: address, port });
  console.log("listening");
  for await (const conn of listener) {
    answer(conn).catch((error) => console.error(error)).finally(() => conn.close());
  }
}

async function answer(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1 << 20);
  const read = await conn.read(buffer);
  if (read === null) return;
  if (buffer[0] === 0x77) {
    await conn.write(new TextEncoder().encode((conn.remoteAddr as Deno.NetAddr).hostname));
    return;
  }
  let total = read;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) total += n;
  await conn.write(new TextEncoder().encode(String(total)));
}

/** The address that the server at the other end sees, or "" if it cannot be reached in time. */
async function whoami(address: string, port: number): Promise<string> {
  const timeout = AbortSignal.timeout(3000);
  try {
    const conn = await Deno.connect({ hostname: address, port, signal: timeout });
    await conn.write(new TextEncoder().encode("who"));
    const text = await new Response(conn.readable).text();
    return text;
  } catch {
    return "";
  }
}

/** Bytes a second that arrive at the other end over one connection. */
async function flood(
  address: string,
  { port, milliseconds }: { port: number; milliseconds: number },
): Promise<number> {
  const conn = await Deno.connect({ hostname: address, port });
  const begun = performance.now();
  while (performance.now() - begun < milliseconds) await conn.write(BLOCK);
  await conn.closeWrite();
  const total = Number(await new Response(conn.readable).text());
  return total / (performance.now() - begun) * 1000;
}

const [mode, port, ...rest] = Deno.args;
if (mode === "serve") await serve("0.0.0.0", Number(port));
else if (mode === "who") {
  console.log(JSON.stringify(await Promise.all(rest.map((address) => whoami(address, Number(port))))));
} else if (mode === "flood") {
  console.log(await flood(rest[0]!, { port: Number(port), milliseconds: Number(rest[1]) }));
}
