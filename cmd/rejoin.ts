/** With which settings this host had joined, for whoever starts its agent anew: `up` takes only the network from there. */
import { type Joined, readJoined } from "../agent/joined.ts";
import { shellWords } from "../kernel/commands.ts";
import { display } from "./config.ts";
import type { Context } from "./context.ts";
import { routeSettings } from "./route_settings.ts";
import { kebab, type Setting, type SettingKey, settingKeys, settings } from "./settings.ts";
import { splitList } from "./setting_types.ts";

/** What `up` does to this host alone; of the network the store tells, and of the store `joined.json`. */
const own: readonly SettingKey[] = [
  ...routeSettings,
  "encrypt",
  "leaseTtl",
  "probePort",
  "subnetFile",
  "listen",
];

/** The settings that must be given again as flags: neither the environment nor the config file says them. */
export function formerFlags({ settings: now, sources }: Context, { settings: joined }: Joined): string[] {
  return settingKeys.flatMap((key) => {
    const value = joined[key];
    if (value === undefined || !isNamed(key, value)) return [];
    const given = sources[key] === "environment" || sources[key] === "file";
    return value === (given ? display(key, now[key]) : standard(key)) ? [] : flagsOf(key, value);
  });
}

/** `flan up --detach` as this host had joined, or what to do on a host that has not. */
export function startHint(context: Context): string {
  const joined = readJoined(context.settings.runDir);
  if (joined === undefined) {
    return "this host has joined no network; flan up --detach joins the one in --store, or starts one there";
  }
  return `${startCommand(context, joined)} starts one`;
}

/** The command line that starts this host's agent as it was, where it had joined. */
export function startCommand(context: Context, joined: Joined | undefined): string {
  return ["flan up --detach", ...joined === undefined ? [] : formerFlags(context, joined)].join(" ");
}

/** What is another now than as the host joined before, a sentence for each. */
export function differencesToJoined({ settings: now }: Context, former: Joined): string[] {
  return own.flatMap((key) => {
    const [was, is] = [former.settings[key], display(key, now[key])];
    if (was === undefined || was === is || (was === "-" && former.found[key] === is)) return [];
    return [`Joined before ${withValue(key, was)}, starting ${withValue(key, is)}`];
  });
}

/** `with ip-masq true`, and `without listen` where nothing was said. */
export function withValue(key: SettingKey, value: string): string {
  return value === "-" ? `without ${kebab(key)}` : `with ${kebab(key)} ${value}`;
}

/** Whether the setting says which network it is, and so cannot be another one while the host is in it. */
export function isNetworks(key: SettingKey): boolean {
  return networks.includes(key);
}

const networks: readonly SettingKey[] = [
  "store",
  "stateDir",
  "backend",
  "backendOption",
  "network",
  "subnetLen",
  "subnetMin",
  "subnetMax",
];

/** The run directory is where the rest stands, and only who was told to runs the commands of an extension network. */
function isNamed(key: SettingKey, value: string): boolean {
  if (value === "-") return false;
  return own.includes(key) || key === "runDir" || (key === "backend" && value === "extension");
}

function standard(key: SettingKey): string {
  return display(key, (settings[key] as Setting<unknown>).fallback);
}

function flagsOf(key: SettingKey, value: string): string[] {
  const { argument } = settings[key] as Setting<unknown>;
  const flag = `--${kebab(key)}`;
  // A switch that is off by a flag there is none of; the environment says it.
  if (argument === "") return value === "true" ? [flag] : [];
  const values = argument.includes("...") ? splitList(value) : [value];
  return values.map((one) => `${flag} ${shellWords([one])}`);
}
