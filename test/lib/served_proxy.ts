/** A proxy on a real socket, whose data plane is a fake one. */
import { serve } from "../../control/serve.ts";
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import { silent } from "../../net/log.ts";
import { ProxyClient } from "../../proxy/client.ts";
import { MAX_REQUEST, type Settings } from "../../proxy/protocol.ts";
import { ProxyServer } from "../../proxy/server.ts";
import { FakeDataPlane } from "./fake_data_plane.ts";
import { patientClock } from "./until.ts";

export const settings: Settings = {
  link: "flan0",
  address: "192.0.2.1",
  port: 8285,
  subnet: "10.5.1.0/24",
  source: "10.5.1.0",
  checkSource: true,
  queues: 1,
};

export class ServedProxy {
  readonly plane = new FakeDataPlane();
  readonly client: ProxyClient;
  /** Operations that were asked for, in order. */
  readonly asked: string[] = [];
  readonly server: ProxyServer;
  /** Held back by a test: who configures it hears of it later than who follows it. */
  held: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  readonly #serving: Promise<void>;

  constructor(readonly runDir: string, clock: Clock = patientClock) {
    this.client = new ProxyClient({ runDir, clock });
    this.server = new ProxyServer({
      plane: this.plane,
      clock,
      log: silent,
      version: "0.0.7",
      pid: Deno.pid,
      stopped: () => this.#stopping.abort(),
    });
    this.#serving = serve(this.client.socket, {
      maxRequest: MAX_REQUEST,
      parse: (line) => line,
      answer: async (line, gone) => {
        const op = String((line as { op?: unknown } | null)?.op);
        this.asked.push(op);
        const answer = await this.server.answer(line, gone);
        if (op === "configure") await this.held;
        return answer;
      },
      clock,
      log: silent,
      signal: this.#stopping.signal,
    });
  }

  /** Resolves when it was asked to stop and everybody has their answer. */
  get ended(): Promise<void> {
    return this.#serving;
  }

  async end(): Promise<void> {
    this.#stopping.abort();
    await this.server.close();
    await this.#serving;
  }
}

/** Runs `work` with a proxy in a directory of its own. */
export async function withProxy(work: (proxy: ServedProxy) => Promise<void>): Promise<void> {
  const runDir = Deno.makeTempDirSync({ prefix: "flan-proxy-" });
  const proxy = new ServedProxy(runDir);
  try {
    await work(proxy);
  } finally {
    await proxy.end();
    Deno.removeSync(runDir, { recursive: true });
  }
}

/** Sends a line as it is, and reads what comes until the proxy hangs up. */
export async function sendLine(
  path: string,
  line: string | Uint8Array<ArrayBuffer>,
): Promise<Json | undefined> {
  const conn = await Deno.connect({ transport: "unix", path });
  const bytes = typeof line === "string" ? new TextEncoder().encode(line) : line;
  try {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
    const text = await new Response(conn.readable).text();
    return text === "" ? undefined : JSON.parse(text);
  } catch (error) {
    const isHungUp = error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
    if (!isHungUp) throw error;
    return undefined;
  }
}

/** Route number `n`, 0 to 2^24 − 1. */
export function wayOf(n: number): readonly [string, string, number] {
  return [`10.${n >> 16 & 255}.${n >> 8 & 255}.${n & 255}/32`, "192.0.2.2", 8285];
}
