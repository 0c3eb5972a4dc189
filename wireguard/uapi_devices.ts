/** The devices of a user-space WireGuard, asked over their sockets. */
import { closeQuietly, writeAll } from "../control/lines.ts";
import type { Clock } from "../net/clock.ts";
import { KernelError, messageOf } from "../net/errors.ts";
import { publicKeyOf } from "../net/wireguard_key.ts";
import type { DeviceFields, WireguardDevices } from "../kernel/wireguard_devices.ts";
import { errnoIn, GET, parseDevice, setRequest } from "./uapi.ts";

/** One that is asked answers in some milliseconds; one that hangs never does. */
const PATIENCE_MS = 2000;
/** Ten thousand peers have some 4 MB. */
const MAX_ANSWER = 32 << 20;
const CHUNK = 64 * 1024;

/** Numbers of asm-generic/errno.h that a WireGuard answers with. */
const errnos: Readonly<Record<number, string>> = {
  1: "EPERM",
  5: "EIO",
  13: "EACCES",
  22: "EINVAL",
  71: "EPROTO",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
};

export interface UapiInit {
  readonly clock: Clock;
  /** Where the socket of a link lies. */
  readonly socketOf: (link: string) => string;
}

export function openUapiDevices({ clock, socketOf }: UapiInit): WireguardDevices {
  const ask = (link: string, request: string) => exchange(request, { link, path: socketOf(link), clock });
  return {
    async read(link): Promise<DeviceFields> {
      const { privateKey, ...device } = await understood(link, await ask(link, GET), parseDevice);
      return { ...device, publicKey: privateKey === undefined ? "" : await publicKeyOf(privateKey) };
    },
    async write(link, change) {
      await ask(link, setRequest(change));
    },
  };
}

/** The answer, which is one of success. */
async function exchange(
  request: string,
  { link, path, clock }: { link: string; path: string; clock: Clock },
): Promise<string> {
  const conn = await connect(link, path);
  const done = new AbortController();
  let late = false;
  clock.sleep(PATIENCE_MS, done.signal).then(() => {
    late = !done.signal.aborted;
    if (late) closeQuietly(conn);
  });
  try {
    await writeAll(conn, new TextEncoder().encode(request));
    const answer = await readAnswer(conn);
    const errno = understood(link, answer, errnoIn);
    if (errno === 0) return answer;
    const name = errnos[errno] ?? `errno ${errno}`;
    throw trouble(link, { why: `the WireGuard program refuses it (${name})`, errno: name });
  } catch (error) {
    if (error instanceof KernelError) throw error;
    if (late) throw trouble(link, { why: "the WireGuard program does not answer", errno: "ETIMEDOUT" });
    throw trouble(link, { why: messageOf(error), errno: "EPROTO" });
  } finally {
    done.abort();
    closeQuietly(conn);
  }
}

async function connect(link: string, path: string): Promise<Deno.Conn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused;
    const errno = isGone ? "ENODEV" : error instanceof Deno.errors.PermissionDenied ? "EPERM" : "EIO";
    throw trouble(link, { why: `${path}: ${messageOf(error)}`, errno });
  }
}

/** Up to the empty line. */
async function readAnswer(conn: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const chunk = new Uint8Array(CHUNK);
  const parts: string[] = [];
  for (let length = 0, end = "";;) {
    const read = await conn.read(chunk);
    if (read === null) throw new TypeError("the connection ended");
    length += read;
    if (length > MAX_ANSWER) throw new TypeError(`more than ${MAX_ANSWER} bytes came`);
    const part = decoder.decode(chunk.subarray(0, read), { stream: true });
    parts.push(part);
    end = `${end}${part}`.slice(-2);
    if (end === "\n\n") return parts.join("");
  }
}

function understood<T>(link: string, answer: string, parse: (answer: string) => T): T {
  try {
    return parse(answer);
  } catch (error) {
    throw trouble(link, {
      why: `the WireGuard program's answer cannot be read: ${messageOf(error)}`,
      errno: "EPROTO",
    });
  }
}

function trouble(link: string, { why, errno }: { why: string; errno: string }): KernelError {
  return new KernelError(`Cannot use WireGuard device ${link}: ${why}`, errno, { op: "wireguard" });
}
