/** The programs of iptables (or of its nftables variant, which has the same words), run as children. */
import { FlanError, KernelError, systemReason } from "../net/errors.ts";
import { type Iptables, iptablesError } from "./iptables_rules.ts";

/** Seconds that the lock of the legacy variant, which others hold for moments, is waited for. */
const LOCK_SECONDS = "5";

/** Found on the PATH. Where a program is not there the KernelError is `unsupported`, where it cannot be run now a FlanError `failed`. */
export const iptablesPrograms: Iptables = programsOf("iptables");

/** The same for IPv6. */
export const ip6tablesPrograms: Iptables = programsOf("ip6tables");

/** The same of one variant, whichever the host's `iptables` is: `iptables-nft`, `ip6tables-legacy`. */
export function programsOf(name: string): Iptables {
  return {
    save: () => run(`${name}-save`, [], ""),
    restore: async (payload) =>
      void await run(`${name}-restore`, ["--noflush", "--wait", LOCK_SECONDS], payload),
  };
}

async function run(program: string, args: readonly string[], input: string): Promise<string> {
  const command = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = started(program, command);
  const writer = child.stdin.getWriter();
  // One that fails early closes its end; what it says on stderr is the better reason.
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await child.output().catch((error) => {
    throw unrunnable(program, error);
  });
  await written;
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw iptablesError(program, decoder.decode(stderr));
}

function started(program: string, command: Deno.Command): Deno.ChildProcess {
  try {
    return command.spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw unrunnable(program, error);
    throw new KernelError(`Cannot run ${program}: it is not installed`, "", {
      op: "firewall",
      code: "unsupported",
      hint: "apt-get install iptables",
    });
  }
}

/** What befalls a busy host: no descriptor, process or memory left. */
function unrunnable(program: string, cause: unknown): FlanError {
  return new FlanError(`Cannot run ${program}: ${systemReason(cause)}`, {
    op: "firewall",
    code: "failed",
    cause,
  });
}
