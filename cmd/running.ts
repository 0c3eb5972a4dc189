/** A second `up` beside a running agent: fine if it asks for what is running, an error naming the difference if not. */
import type { Agent } from "../agent/agent.ts";
import { askAgent } from "../agent/control.ts";
import { type Joined, readJoined } from "../agent/joined.ts";
import { lockHolder } from "../agent/lock.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { formatCidr, formatIp } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { display } from "./config.ts";
import { type Context, socketOf } from "./context.ts";
import { exit } from "./exit.ts";
import { type Format } from "./output.ts";
import { printOwnLease } from "./own_lease.ts";
import { kebab, type SettingKey, settingKeys, type Settings } from "./settings.ts";

/** Settings that say how a person is spoken to, and not what the network is. */
const manners: readonly SettingKey[] = ["logFile", "logFormat", "quiet", "verbose"];

/** What this host has joined with: the settings as given, and what was found where one was left open. */
export function joinedWith(settings: Settings, { config, host, backend }: Agent["state"]): Joined {
  const ip = (value: bigint) => formatIp({ family: config.network.family, value });
  const found: Partial<Record<SettingKey, unknown>> = {
    backend: config.backendType,
    backendOption: config.backendOptions,
    network: formatCidr(config.network),
    subnetLen: config.subnetLength,
    subnetMin: ip(config.subnetMin.address),
    subnetMax: ip(config.subnetMax.address),
    iface: [host.underlay.link],
    publicIp: host.publicIp,
    mtu: backend.mtu(config, host),
  };
  const shown = (values: Partial<Record<SettingKey, unknown>>) =>
    Object.fromEntries(
      settingKeys.filter((key) => !manners.includes(key)).map((key) => [key, display(key, values[key])]),
    );
  return { pid: Deno.pid, settings: shown(settings), found: shown(found) };
}

/** Answers for `up` while another agent holds the lock. Throws `invalid` where the settings differ. */
export async function alreadyRunning(context: Context, format: Format): Promise<number> {
  const { settings, sources, clock } = context;
  const joined = readJoined(settings.runDir);
  const status = await askAgent(socketOf(settings), { op: "status", clock }) as {
    lease?: Readonly<Record<string, Json>>;
  } | undefined;
  if (joined === undefined || status === undefined) {
    const holder = lockHolder(settings.runDir) ?? "unknown";
    throw new FlanError(
      `Cannot start: an agent (process ${holder}) is just starting or stopping in ${settings.runDir}`,
      {
        op: "up",
        code: "failed",
        hint: "try again in a moment",
      },
    );
  }
  const { pid } = joined;
  for (const key of settingKeys) {
    if (sources[key] === "default" || manners.includes(key)) continue;
    const mine = display(key, settings[key]);
    const theirs = joined.settings[key] === "-" ? joined.found[key] : joined.settings[key];
    if (mine === theirs) continue;
    throw invalid(
      "up",
      `An agent is running already (process ${pid}) with ${kebab(key)} ${theirs}, but ${mine} is asked for`,
      "run flan down first, or leave the setting out",
    );
  }
  console.error(`flan: An agent with these settings is running already (process ${pid})`);
  if (status.lease) printOwnLease(format, status.lease);
  return exit.done;
}
