/** The process that holds the socket for ESP in UDP: real ones, with sockets of loopback that take whatever comes. */
import assert from "node:assert/strict";
import { tryLock } from "../../control/lock.ts";
import { encapSockets, handOnUdp } from "../../ffi/encap_socket.ts";
import { closeFd, getsockname, SOL_SOCKET } from "../../ffi/libc.ts";
import { addressIn, openUdpSocket } from "../../ffi/udp_socket.ts";
import { EncapHolder } from "../../ipsec/encap_holder.ts";
import type { EncapSockets } from "../../kernel/encap_sockets.ts";
import { KernelError } from "../../net/errors.ts";
import { patientClock } from "../lib/until.ts";

const SO_REUSEADDR = 2; // asm-generic/socket.h

/** Any kernel has these. What a test that runs beside this one starts just then would have one as well, and may keep it. */
const sockets: EncapSockets = {
  ...encapSockets,
  handOn(port, spawn) {
    const options = [{ level: SOL_SOCKET, name: SO_REUSEADDR, value: 1 }];
    return handOnUdp({ address: "127.0.0.1", port, options }, spawn);
  },
};

/** A socket of somebody else, at a port that is free where none is named. */
function stranger(port = 0): Disposable & { port: number } {
  const fd = openUdpSocket({ address: "127.0.0.1", port, shared: false });
  const address = new Uint8Array(16);
  assert.equal(getsockname(fd, address), 0);
  return { port: addressIn(address).port, [Symbol.dispose]: () => void closeFd(fd) };
}

function freePort(): number {
  using socket = stranger();
  return socket.port;
}

function test(
  proves: string,
  body: (open: (with_?: Partial<EncapSockets>) => EncapHolder, dir: string) => Promise<void>,
): void {
  Deno.test(`encap holder: ${proves}`, async () => {
    const runDir = Deno.makeTempDirSync({ prefix: "flan-encap-" });
    const port = freePort();
    const open = (other: Partial<EncapSockets> = {}) =>
      new EncapHolder({ runDir, port, clock: patientClock, sockets: { ...sockets, ...other } });
    try {
      await body(open, runDir);
    } finally {
      await open().stop();
      Deno.removeSync(runDir, { recursive: true });
    }
  });
}

const never = () => new AbortController().signal;

test("it outlives who started it, is found again, and ends when it is told to", async (open, dir) => {
  assert.equal(open().look(), undefined);
  const pid = await open().start();
  assert.equal(open().look(), pid);
  open().require();
  assert.equal(Deno.readTextFileSync(`/proc/${pid}/comm`), "sleep\n", "the smallest program that there is");
  assert.equal(Deno.statSync(`${dir}/ipsec-encap.lock`).mode! & 0o777, 0o600, "nobody else can hold it");
  await open().stop();
  assert.equal(open().look(), undefined);
  open().require();
});

test("its end is told, whoever ends it", async (open) => {
  const pid = await open().start();
  const ended = open().whenEnded(pid, never());
  Deno.kill(pid, "SIGKILL");
  await ended;
  await open().whenEnded(pid, never());
  const again = await open().start();
  const left = new AbortController();
  const waiting = open().whenEnded(again, left.signal);
  left.abort();
  await waiting;
  assert.equal(open().look(), again);
});

test("a port that somebody has is told of with who it is, before and while one starts", async (open) => {
  const { port } = open();
  using _ = stranger(port);
  const message = new RegExp(`port ${port} is taken by deno\\[${Deno.pid}\\] \\(EADDRINUSE\\)$`);
  assert.throws(() => open().require(), { code: "unsupported", message });
  await assert.rejects(open().start(), { code: "failed", errno: "EADDRINUSE", message });
  assert.equal(open().look(), undefined);
});

test("a kernel that takes no ESP out of UDP says so", (open) => {
  const handOn = () => {
    throw new KernelError("Cannot take ESP out of UDP: Protocol not available", "ENOPROTOOPT", { op: "t" });
  };
  assert.throws(() => open({ handOn }).require(), { code: "unsupported", message: /Protocol not available/ });
  return Promise.resolve();
});

test("one without a socket in this namespace is none, and makes room for the next", async (open) => {
  const pid = await open().start();
  let isElsewhere = true;
  const inodesAt = (port: number) => isElsewhere ? [] : sockets.inodesAt(port);
  const other = open({ inodesAt });
  assert.equal(other.look(), undefined);
  const starting = other.start();
  isElsewhere = false;
  assert.notEqual(await starting, pid);
  assert.equal(typeof other.look(), "number");
});

test("a lock that this process has itself is nobody's that can be seen", async (open, dir) => {
  const lock = tryLock(`${dir}/ipsec-encap.lock`)!;
  assert.equal(open().look(), "hidden");
  lock.release();
  await open().stop();
  assert.equal(open().look(), undefined);
});
