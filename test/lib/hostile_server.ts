/** A server that answers HTTP requests, whatever they ask, with bytes that no good server sends. */
import type { ErrorCode } from "../../net/errors.ts";

/** Writes the answer to one request. The connection is closed after it. */
export type Script = (answer: Answerer) => Promise<void>;

export interface Answerer {
  /** `POST /v3/kv/range` */
  readonly request: string;
  /** Rejects once the client has hung up. */
  write(data: string | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Resolves when the client has hung up; until then nothing more is sent. */
  hungUp(): Promise<void>;
}

export class HostileServer implements AsyncDisposable {
  readonly origin: string;
  /** What was asked, in order: `POST /v3/kv/range`. */
  readonly requests: string[] = [];
  /** The heads of the requests, in small letters. */
  readonly heads: string[] = [];
  /** Bytes of answers that went into the connections; some MB of them may lie in the kernel's buffers. */
  sent = 0;
  readonly #listener: Deno.TcpListener;
  readonly #script: Script;
  readonly #exchanges = new Set<Promise<void>>();
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;
  #waiting = Promise.withResolvers<void>();

  constructor(script: Script) {
    this.#script = script;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.origin = `http://127.0.0.1:${this.#listener.addr.port}`;
    this.#serving = this.#serve();
  }

  /** Resolves when an answer has come to a point where nothing more is sent, though the client may wait for more. */
  get silent(): Promise<void> {
    return this.#waiting.promise;
  }

  /** Resolves when every client has hung up or was answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#exchanges);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#connections) close(conn);
    await this.#serving;
    await this.idle();
  }

  async #serve(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        const exchange = this.#exchange(conn).catch(() => {/* the client hung up, as it should */});
        this.#exchanges.add(exchange);
        exchange.then(() => this.#exchanges.delete(exchange));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #exchange(conn: Deno.TcpConn): Promise<void> {
    this.#connections.add(conn);
    try {
      const head = await headOn(conn);
      if (head === undefined) return;
      const request = head.slice(0, head.indexOf(" HTTP/"));
      this.heads.push(head.toLowerCase());
      this.requests.push(request);
      await this.#script({
        request,
        write: (data) => this.#write(conn, data),
        hungUp: async () => {
          this.#waiting.resolve();
          this.#waiting = Promise.withResolvers();
          while (await conn.read(new Uint8Array(4096)) !== null);
        },
      });
    } finally {
      this.#connections.delete(conn);
      close(conn);
    }
  }

  async #write(conn: Deno.TcpConn, data: string | Uint8Array<ArrayBuffer>): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (rest.length > 0) {
      const written = await conn.write(rest);
      this.sent += written;
      rest = rest.subarray(written);
    }
  }
}

/** Reads a request to its end, and returns its head. */
async function headOn(conn: Deno.TcpConn): Promise<string | undefined> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const end = text.indexOf("\r\n\r\n");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (end >= 0 && text.length >= end + 4 + length) return text.slice(0, end);
    const count = await conn.read(buffer);
    if (count === null) return undefined;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** The bytes of a whole answer. */
export function reply(body: string, { status = "200 OK", type = "application/json" } = {}): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** The head of an answer whose body is sent in chunks. */
export const chunkedHead =
  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

/** A chunk of that body; the text is ASCII. */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const MEBIBYTE = 1024 * 1024;

/** Sends `text` in chunks until the client hangs up. */
export function endlessly(text: string): Script {
  const bytes = new TextEncoder().encode(chunk(text.repeat(Math.ceil(MEBIBYTE / text.length))));
  return async ({ write }) => {
    await write(chunkedHead);
    for (;;) await write(bytes);
  };
}

const bytesOf = (...values: number[]) => Uint8Array.from(values);

/** What a server may do to any client of a store, whatever it asks, and the code of the error that follows. */
export const misbehaviours: readonly { name: string; code: ErrorCode; script: Script }[] = [
  { name: "hangs up without a word", code: "store", script: () => Promise.resolve() },
  {
    name: "says something that is not HTTP",
    code: "store-reply",
    script: ({ write }) => write("SSH-2.0-x\r\n"),
  },
  {
    name: "sends a page",
    code: "store-reply",
    script: ({ write }) => write(reply("<html>\u001b[2JIt works</html>", { type: "text/html" })),
  },
  {
    name: "sends a page that nothing is there",
    code: "store-reply",
    script: ({ write }) => write(reply("<h1>\u001b[2JGone</h1>", { status: "410 Gone", type: "text/html" })),
  },
  {
    name: "has nothing behind it",
    code: "store",
    script: ({ write }) =>
      write(reply("<h1>Bad Gateway</h1>", { status: "502 Bad Gateway", type: "text/html" })),
  },
  { name: "sends half a JSON", code: "store-reply", script: ({ write }) => write(reply('{"kvs":[{"key')) },
  { name: "sends an empty answer", code: "store-reply", script: ({ write }) => write(reply("")) },
  { name: "sends JSON that is no object", code: "store-reply", script: ({ write }) => write(reply("[7]")) },
  {
    name: "hangs up in its answer",
    code: "store",
    script: ({ write }) => write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
  },
  {
    name: "garbles its chunks",
    code: "store",
    script: ({ write }) => write(`${chunkedHead}zz\r\n{}\r\n`),
  },
  {
    name: "redirects to itself",
    code: "store-reply",
    script: ({ write }) => write("HTTP/1.1 302 Found\r\nlocation: /x\u0009y\r\ncontent-length: 0\r\n\r\n"),
  },
  {
    name: "redirects elsewhere for ever",
    code: "store-reply",
    script: ({ write }) =>
      write("HTTP/1.1 308 X\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"),
  },
  {
    name: "sends what is not UTF-8",
    code: "store-reply",
    script: async ({ write }) => {
      await write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n");
      await write(bytesOf(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x22, 0x22, 0x7d));
    },
  },
  {
    name: "sends half a character",
    code: "store-reply",
    script: async ({ write }) => {
      await write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
      await write(bytesOf(0x7b, 0x7d, 0xc3));
    },
  },
  {
    name: "compresses without being asked",
    code: "store-reply",
    script: async ({ write }) => {
      const bomb = new Blob(["a".repeat(20 * MEBIBYTE)]).stream().pipeThrough(new CompressionStream("gzip"));
      const bytes = await new Response(bomb).bytes();
      await write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bytes.length}\r\n\r\n`);
      await write(bytes);
    },
  },
  {
    name: "sends a head without an end",
    code: "store-reply",
    script: async ({ write }) => {
      await write("HTTP/1.1 200 OK\r\n");
      for (;;) await write(`x: ${"y".repeat(60_000)}\r\n`);
    },
  },
];
