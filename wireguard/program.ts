/**
 * wireguard-go, the WireGuard of kernels that have none: one process for each device, which it makes and takes along
 * when it ends. It outlives who starts it, and is found again by a lock file that it keeps open.
 */
import { freeWithin, isHeld, provenHolder } from "../control/lock.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, systemReason } from "../net/errors.ts";
import type { WireguardDevices } from "../kernel/wireguard_devices.ts";
import { boundLog } from "./bounded_log.ts";
import { openUapiDevices } from "./uapi_devices.ts";

const PROGRAM = "wireguard-go";
/** Where wireguard-go has its sockets, and `wg` looks for them. */
const SOCKETS = "/var/run/wireguard";
/** The run directory of a machine's one host. */
const DEFAULT_RUN_DIR = "/run/flan";

/** It is there in some hundredths of a second. */
const START_MS = 5000;
const LOOK_MS = 10;
/** It ends by itself when its device is deleted; one that does not is killed after so long. */
const END_MS = 1000;

/** What the wrapped kernel needs of a program; tests bring their own. */
export interface WireguardProgram {
  readonly devices: WireguardDevices;
  /** Throws `unsupported` with what helps where none is installed. */
  require(): void;
  /** Whether a program of this host's carries the link, or did before it hung. */
  runs(link: string): boolean;
  /** Makes the link, down and without a name of flan's. Throws FlanError. */
  start(link: string): Promise<void>;
  /** Resolves when the program of the link, if one runs, has ended. Throws `failed` where it does not. */
  stop(link: string): Promise<void>;
}

export interface ProgramInit {
  readonly runDir: string;
  readonly clock: Clock;
}

/**
 * Hosts that share a machine have run directories of their own, and would share the directory of the sockets, in which
 * their devices have one name: there each program has it mounted for itself.
 */
export function openProgram({ runDir, clock }: ProgramInit): WireguardProgram {
  const isAlone = runDir === DEFAULT_RUN_DIR;
  const sockets = isAlone ? SOCKETS : `${runDir}/wireguard`;
  const lockOf = (link: string) => `${runDir}/wireguard-${link}.lock`;
  const log = `${runDir}/wireguard.log`;
  const asked = openUapiDevices({ clock, socketOf: (link) => `${sockets}/${link}.sock` });
  const devices: WireguardDevices = {
    ...asked,
    read: (link) => {
      boundLog(log);
      return asked.read(link);
    },
  };
  const stop = (link: string) => stopHolder(lockOf(link), { link, clock });
  return {
    devices,
    require: requireProgram,
    runs: (link) => isHeld(lockOf(link)),
    stop,
    async start(link) {
      requireProgram();
      // One that hangs would keep the next one from starting.
      await stop(link);
      Deno.mkdirSync(sockets, { recursive: true, mode: 0o755 });
      const place = {
        link,
        lock: lockOf(link),
        log,
        sockets: isAlone ? "" : sockets,
      };
      await untilReady(spawn(place), { ...place, devices, clock });
    },
  };
}

function requireProgram(): void {
  const folders = (Deno.env.get("PATH") || "/usr/sbin:/usr/bin:/sbin:/bin").split(":");
  if (folders.some((folder) => isFile(`${folder}/${PROGRAM}`))) return;
  throw new FlanError(`Cannot use WireGuard: the kernel has none, and ${PROGRAM} is not installed`, {
    op: "kernel.require",
    code: "unsupported",
    hint: `modprobe wireguard, or apt-get install ${PROGRAM}`,
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // Whatever the reason is, it cannot be run from there.
    return false;
  }
}

interface Place {
  readonly link: string;
  readonly lock: string;
  readonly log: string;
  /** What it has mounted over the directory of the sockets, "" for nothing. */
  readonly sockets: string;
}

/** Only a shell can hand a lock on. It writes down whose it is from then on: its own number stays the program's. */
const SCRIPT = `exec >>"$1" 2>&1
(umask 077 && : >>"$2") && chmod 600 "$2" && exec 9>>"$2"
flock -n 9 || exit 75
echo $$ >"$2"
if [ -n "$3" ]; then mkdir -p ${SOCKETS} && mount --bind "$3" ${SOCKETS} || exit 1; fi
exec ${PROGRAM} -f "$4"`;

function spawn({ link, lock, log, sockets }: Place): Deno.ChildProcess {
  const shell = ["sh", "-c", SCRIPT, "sh", log, lock, sockets, link];
  const argv = sockets === "" ? shell : ["unshare", "--mount", "--propagation", "private", ...shell];
  const child = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    env: { LOG_LEVEL: "error" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  return child;
}

/** Resolves when it can be asked. */
async function untilReady(
  child: Deno.ChildProcess,
  { link, log, devices, clock }: Place & { devices: WireguardDevices; clock: Clock },
): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  const deadline = clock.monotonic() + START_MS;
  for (;;) {
    try {
      return void await devices.read(link);
    } catch (error) {
      const isLate = clock.monotonic() >= deadline;
      if (!ended && !isLate) {
        await clock.sleep(LOOK_MS);
        continue;
      }
      if (!ended) child.kill("SIGKILL");
      const why = ended ? "it ended at once" : `it cannot be asked within ${START_MS / 1000} s`;
      throw new FlanError(`Cannot start ${PROGRAM} for ${link}: ${why}`, {
        op: "wireguard.start",
        code: ended ? "failed" : "timeout",
        cause: error,
        hint: `see ${log}`,
      });
    }
  }
}

async function stopHolder(
  lock: string,
  { link, clock }: { link: string; clock: Clock },
): Promise<void> {
  if (await freeWithin(lock, { ms: 0, clock })) return;
  if (await freeWithin(lock, { ms: END_MS, clock })) return;
  const holder = provenHolder(lock);
  try {
    if (holder !== undefined) Deno.kill(holder, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new FlanError(`Cannot end ${PROGRAM} of ${link}: ${systemReason(error)}`, {
        op: "wireguard.stop",
        code: "failed",
        cause: error,
      });
    }
  }
  if (await freeWithin(lock, { ms: END_MS, clock })) return;
  throw new FlanError(`Cannot end ${PROGRAM} of ${link}: ${lock} is still held`, {
    op: "wireguard.stop",
    code: "failed",
    hint: `fuser ${lock} names it`,
  });
}
