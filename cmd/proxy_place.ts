/** Where this host's UDP proxies are found, and how they are started. */
import type { ProxyPlace } from "../agent/host_kernel.ts";
import type { Clock } from "../net/clock.ts";
import type { Loaded } from "./config.ts";
import { flanCommand } from "./self.ts";
import { version } from "./version.ts";
import { makeRunDir } from "../agent/lock.ts";
import type { Family } from "../net/ip.ts";
import { proxyDir } from "../proxy/client.ts";
import { startProxy } from "../proxy/start.ts";

/** A proxy that is started from here logs beside its socket, whoever the agent's log is for. */
export function proxyPlace({ settings, file, clock }: Loaded & { clock: Clock }): ProxyPlace {
  const { runDir, logFormat, verbose } = settings;
  const spawn = async (family: Family) => {
    const own = proxyDir(runDir, family);
    const logFile = `${own}/proxy.log`;
    const command = flanCommand([
      ...["proxy", "run", "--detached", "--run-dir", own, "--log-file", logFile, "--log-format", logFormat],
      ...(verbose ? ["--verbose"] : []),
      ...(file === undefined ? [] : ["--config", file]),
    ]);
    makeRunDir(own);
    return await startProxy(command, { logFile, clock });
  };
  return { runDir, version, spawn };
}
