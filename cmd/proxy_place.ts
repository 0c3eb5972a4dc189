/** Where this host's UDP proxy is found, and how it is started. */
import type { ProxyPlace } from "../agent/host_kernel.ts";
import type { Clock } from "../net/clock.ts";
import type { Loaded } from "./config.ts";
import { flanCommand } from "./self.ts";
import { version } from "./version.ts";

/** A proxy that is started from here logs beside its socket, whoever the agent's log is for. */
export function proxyPlace({ settings, file, clock }: Loaded & { clock: Clock }): ProxyPlace {
  const { runDir, logFormat, verbose } = settings;
  const logFile = `${runDir}/proxy.log`;
  const command = flanCommand([
    ...["proxy", "run", "--detached", "--run-dir", runDir, "--log-file", logFile, "--log-format", logFormat],
    ...(verbose ? ["--verbose"] : []),
    ...(file === undefined ? [] : ["--config", file]),
  ]);
  const spawn = async () => {
    const { startProxy } = await import("../proxy/start.ts");
    return await startProxy(command, { logFile, clock });
  };
  return { runDir, version, spawn };
}
