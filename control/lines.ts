/** Lines of text over a connection, bounded in size. */

const NEWLINE = 0x0a;
const CHUNK = 64 * 1024;
/** Nearly every line fits; a large buffer for each made the process grow by megabytes before they were collected. */
const FIRST_CHUNK = 2 * 1024;

/** What is needed of a `Deno.Conn`. */
export interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

export interface Bounds {
  /** Bytes that a line may have. */
  readonly limit: number;
  /** Called once, before more than 64 KiB are kept; what it resolves to is called when the line is read. */
  readonly grow?: () => Promise<() => void>;
}

/**
 * Reads up to the first newline, which must come within `limit` bytes; what comes after it in the same read is
 * dropped. Throws TypeError where the connection ends before, where more comes, or where it is not UTF-8.
 */
export async function readLine(conn: Conn, { limit, grow }: Bounds): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  let shrink: (() => void) | undefined;
  let chunk = new Uint8Array(FIRST_CHUNK);
  try {
    for (;;) {
      const read = await conn.read(chunk);
      if (read === null) throw new TypeError("the connection ended");
      const end = chunk.subarray(0, read).indexOf(NEWLINE);
      length += end < 0 ? read : end;
      if (length > limit) throw new TypeError(`more than ${limit} bytes came`);
      parts.push(chunk.slice(0, end < 0 ? read : end));
      if (end >= 0) return joined(parts, length);
      if (chunk.length < CHUNK) chunk = new Uint8Array(CHUNK);
      if (length > CHUNK && shrink === undefined && grow !== undefined) shrink = await grow();
    }
  } finally {
    shrink?.();
  }
}

function joined(parts: readonly Uint8Array[], length: number): string {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

/** Writes all of `text` and a newline. */
export async function writeLine(conn: Conn, text: string): Promise<void> {
  await writeAll(conn, new TextEncoder().encode(`${text}\n`));
}

/** Writes all of `bytes`. */
export async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

export function closeQuietly(conn: { close(): void }): void {
  try {
    conn.close();
  } catch { /* it is closed already */ }
}
