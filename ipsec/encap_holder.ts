/**
 * The process that holds the socket for ESP in UDP, and does nothing else: a `sleep` that has inherited it. The kernel
 * does the rest, for as long as it lives, so that it outlives the agent; it is found again by a lock file that it keeps
 * open.
 */
import { freeWithin, isHeld, provenHolder } from "../control/lock.ts";
import { holdersOf, type ProcFiles, procLinks, socketsOf } from "../control/socket_holders.ts";
import type { EncapSockets } from "../kernel/encap_sockets.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, KernelError, systemReason } from "../net/errors.ts";

/** A shell has the lock in some milliseconds. */
const START_MS = 5000;
const LOOK_MS = 10;
/** Killed, it has ended in some milliseconds. */
const END_MS = 5000;

export interface HolderInit {
  readonly runDir: string;
  readonly port: number;
  readonly clock: Clock;
  readonly sockets: EncapSockets;
}

/** What can be seen of the process: its number, or only that there is one. */
export type Seen = number | "hidden" | undefined;

export class EncapHolder {
  readonly port: number;
  readonly #lock: string;
  readonly #clock: Clock;
  readonly #sockets: EncapSockets;

  constructor({ runDir, port, clock, sockets }: HolderInit) {
    this.port = port;
    this.#lock = `${runDir}/ipsec-encap.lock`;
    this.#clock = clock;
    this.#sockets = sockets;
  }

  /** Throws `unsupported` where somebody else has the port, or the kernel takes no ESP out of UDP. */
  require(): void {
    if (this.look() !== undefined) return;
    try {
      this.#sockets.handOn(this.port, () => {});
    } catch (error) {
      throw this.#judged(error, "unsupported");
    }
  }

  /** One that has no such socket in this network namespace is none; who may not see that sees the lock. */
  look(): Seen {
    if (!isHeld(this.#lock)) return undefined;
    const pid = provenHolder(this.#lock);
    if (pid === undefined) return "hidden";
    const inodes = this.#sockets.inodesAt(this.port);
    return socketsOf(procLinks, pid).some((inode) => inodes.includes(inode)) ? pid : undefined;
  }

  /** Resolves to the process when it holds the socket. Throws `failed`, EADDRINUSE where somebody else has the port. */
  async start(): Promise<number> {
    // One that is good for nothing would keep the next one from starting.
    await this.stop();
    try {
      this.#sockets.handOn(this.port, () => spawn(this.#lock));
    } catch (error) {
      throw this.#judged(error, "failed");
    }
    const deadline = this.#clock.monotonic() + START_MS;
    for (;;) {
      const seen = this.look();
      // Hidden it is for as long as its number is not written down.
      if (typeof seen === "number") return seen;
      if (this.#clock.monotonic() >= deadline) break;
      await this.#clock.sleep(LOOK_MS);
    }
    throw new FlanError(`its process has not started within ${START_MS / 1000} s`, {
      op: "ipsec.encap",
      code: "timeout",
      hint: `fuser ${this.#lock} names who has its lock`,
    });
  }

  /** Resolves when the process, if one runs, has ended. Throws `failed` where it does not. */
  async stop(): Promise<void> {
    if (!isHeld(this.#lock)) return;
    const pid = provenHolder(this.#lock);
    try {
      if (pid !== undefined) Deno.kill(pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw this.#stays(systemReason(error));
    }
    if (!await freeWithin(this.#lock, { ms: END_MS, clock: this.#clock })) throw this.#stays("still held");
  }

  whenEnded(pid: number, signal: AbortSignal): Promise<void> {
    return this.#sockets.whenEnded(pid, signal);
  }

  #judged(error: unknown, code: "unsupported" | "failed"): unknown {
    if (!(error instanceof KernelError)) return error;
    const { errno, message } = error;
    if (errno !== "EADDRINUSE") {
      return new KernelError(message, errno, { op: "ipsec.encap", code, hint: "modprobe -a xfrm_user esp4" });
    }
    const inodes = this.#sockets.inodesAt(this.port);
    const who = [...holdersOf(thisProc, new Set(inodes)).values()].join(", ") || "another program";
    return new KernelError(
      `Cannot take ESP out of UDP: port ${this.port} is taken by ${who} (${errno})`,
      errno,
      { op: "ipsec.encap", code, hint: "end it, or take UDPEncap from the network's options" },
    );
  }

  #stays(why: string): FlanError {
    return new FlanError(`Cannot end the process that holds UDP port ${this.port}: ${this.#lock}: ${why}`, {
      op: "ipsec.encap",
      code: "failed",
      hint: `fuser ${this.#lock} names it`,
    });
  }
}

/** Names of processes may hold anything. */
const thisProc: ProcFiles = {
  ...procLinks,
  text(path) {
    try {
      return Deno.readTextFileSync(path).trim().replaceAll(/[^\x21-\x7e]/g, "?");
    } catch {
      return undefined;
    }
  },
};

/** Only a shell can hand a lock on. It writes down whose it is from then on: its own number stays the sleeper's. */
const SCRIPT = `(umask 077 && : >>"$1") && chmod 600 "$1" && exec 9>>"$1"
flock -n 9 || exit 75
echo $$ >"$1"
exec sleep 2147483647`;

function spawn(lock: string): void {
  new Deno.Command("sh", {
    args: ["-c", SCRIPT, "flan-ipsec-encap", lock],
    cwd: "/",
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") || "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn().unref();
}
