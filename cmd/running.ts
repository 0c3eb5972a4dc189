/** A second `up` beside a running agent: fine if it asks for what is running, an error naming the difference if not. */
import type { Agent } from "../agent/agent.ts";
import { formerOf } from "../agent/underlay.ts";
import { type Joined, readJoined } from "../agent/joined.ts";
import { type AgentLock, lockHolder, tryLockAgent } from "../agent/lock.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { shownUrl } from "../lease/remote/shown_url.ts";
import { formatCidr, formatIp } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { askStatus } from "./ask_status.ts";
import { display } from "./config.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { formerFlags, isNetworks, withValue } from "./rejoin.ts";
import { type Format } from "./output.ts";
import { printOwnLease } from "./own_lease.ts";
import { type SettingKey, settingKeys, type Settings } from "./settings.ts";

/** Settings that say how a person is spoken to, and not what the network is. */
const manners: readonly SettingKey[] = ["logFile", "logFormat", "quiet", "verbose"];

/** How long a second `up` waits for the first one to join, and how often it looks. */
const JOIN_MS = 10_000;
const ASK_MS = 100;

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
  const [node, device] = [host.node, backend.devices(config)[0] ?? ""];
  const underlay = formerOf(host);
  return { pid: Deno.pid, settings: shown(settings), found: shown(found), node, device, underlay };
}

/** What a second `up` needs of the status of the first one's agent. */
interface Running {
  readonly lease?: Readonly<Record<string, Json>> | null;
}

/**
 * Takes the lock, or waits until the agent that holds it has joined and says how it stands. Throws FlanError
 * where that takes longer than a join does.
 */
export async function lockOrRunning(
  { settings, clock }: Context,
): Promise<{ lock: AgentLock; running?: undefined } | { lock?: undefined; running: Running }> {
  const deadline = clock.monotonic() + JOIN_MS;
  while (true) {
    const lock = tryLockAgent(settings.runDir);
    if (lock !== undefined) return { lock };
    const running = await askStatus({ settings, clock });
    if (running != null) return { running };
    if (clock.monotonic() >= deadline) throw startingOrStopping(settings);
    await clock.sleep(ASK_MS);
  }
}

function startingOrStopping({ runDir }: Settings): FlanError {
  return new FlanError(
    `Cannot start: an agent (process ${
      lockHolder(runDir) ?? "unknown"
    }) is just starting or stopping in ${runDir}`,
    { op: "up", code: "failed", hint: "try again in a moment" },
  );
}

/** Answers for `up` beside an agent that runs. Throws `invalid` where the settings differ. */
export function alreadyRunning(
  context: Context,
  { format, running }: { format: Format; running: Running },
): number {
  const { settings, sources } = context;
  const joined = readJoined(settings.runDir);
  if (joined === undefined) throw startingOrStopping(settings);
  const { pid } = joined;
  for (const key of settingKeys) {
    if (sources[key] === "default" || manners.includes(key)) continue;
    const mine = display(key, settings[key]);
    const theirs = joined.settings[key] === "-" ? joined.found[key] : joined.settings[key];
    if (mine === theirs) continue;
    // Nobody has opened that store, so it may hold a password that does not belong there.
    const asked = key === "store" ? shownUrl(mine) : mine;
    const agent = `An agent is running already (process ${pid})`;
    throw invalid(
      "up",
      `${agent} ${withValue(key, theirs ?? "-")}, but ${asked} is asked for`,
      isNetworks(key)
        ? "leave the setting out, or leave that network first: flan down"
        : `leave the setting out, or end that agent, which costs no packet, and start it with it: kill ${pid}`,
    );
  }
  const flags = formerFlags(context, joined).map((flag) => ` ${flag}`).join("");
  console.error(
    `flan: An agent is running already (process ${pid})${flags && `, started with${flags}`}`,
  );
  if (running.lease) printOwnLease(format, running.lease);
  return exit.done;
}
