/**
 * The shared config loader: flags over environment over config file over defaults, each value with its
 * source. Every subcommand gets its settings here.
 */
import { HIDDEN, isSecretOption } from "../net/secret_option.ts";
import { invalid, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { isBounded } from "../lease/go_json.ts";
import { shownUrl } from "../lease/remote/shown_url.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { type Joined, readJoined } from "../agent/joined.ts";
import { type Command, type Flags, Option } from "./cli.ts";
import { type ConfigFile, readConfigFile } from "./config_file.ts";
import { routeSettings } from "./route_settings.ts";
import { environmentName, fewValues, kebab, settingKeys, settings, storeSettings } from "./settings.ts";
import type { Setting, SettingKey, Settings, Source } from "./settings.ts";
import { holdsSecretPair, joinList } from "./setting_types.ts";

export interface Loaded {
  readonly settings: Settings;
  readonly sources: Readonly<Record<SettingKey, Source>>;
  /** The config file that was read, if any. */
  readonly file: string | undefined;
}

/** Gives `command` a flag for each of `keys` (all of them by default), and `--config`. */
export function addSettings(command: Command, keys: readonly SettingKey[] = settingKeys): Command {
  for (const key of keys) {
    const { argument, help, fallback } = settings[key] as Setting<unknown>;
    const text = fallback === undefined || fallback === false
      ? help
      : `${help} (default ${display(key, fallback)})`;
    const option = new Option(`--${kebab(key)}${argument && ` ${argument.replace("...", "")}`}`, text);
    if (argument.includes("...")) option.repeatable();
    command.addOption(option.offering(fewValues[key] ?? []));
  }
  return command.addOption(
    new Option("--config <file>", "config file, YAML or JSON (default /etc/flan/config.yaml)"),
  );
}

/** Those that say which host this is and where its network is, and so what all else is about. */
const whereabouts: readonly SettingKey[] = [...storeSettings, "stateDir"];

/** Settings that a command takes from the host's last `up` where nobody says otherwise. */
const remembered: readonly SettingKey[] = [
  ...whereabouts,
  "subnetFile",
  ...routeSettings,
  "encrypt",
  "leaseTtl",
  "probePort",
  "listen",
];

/** What of the host's last `up` a command follows: all, only the network that the host is in, or nothing. */
export type Follows = "all" | "network" | "nothing";

const followed: Readonly<Record<Follows, readonly SettingKey[]>> = {
  all: remembered,
  network: whereabouts,
  nothing: [],
};

/** The config file that the flags or the environment name, or a default one. Throws what {@link readConfigFile} does. */
export async function openConfigFile(flags: Flags): Promise<ConfigFile | undefined> {
  const named = flags["config"] ?? Deno.env.get("FLAN_CONFIG");
  return await readConfigFile(named === undefined ? undefined : String(named));
}

/**
 * The settings from a command's parsed flags, the environment and the config file, and then from what the host has
 * joined with. `up` itself follows that only to the network that the host is in, which it must not leave for a new one
 * because somebody did not repeat where it is. Throws `invalid` for the first bad value, naming the value and where
 * it stood, and for unknown keys and FLAN_ variables.
 */
export function loadSettings(
  flags: Flags,
  { follows, file }: { follows: Follows; file: ConfigFile | undefined },
): Loaded {
  refuseUnknown(file);
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const key of settingKeys) {
    const found = find(key, flags, file);
    sources[key] = found?.source ?? "default";
    values[key] = found === undefined ? settings[key].fallback : parse(key, found);
  }
  const joined = follows === "nothing" ? undefined : readJoined(values["runDir"] as string);
  // Of another store than the joined one nothing is remembered: its credentials are for no other server.
  const isJoinedStore = sources["store"] === "default" ||
    display("store", values["store"]) === joined?.settings["store"];
  for (const key of followed[follows]) {
    if (storeSettings.includes(key) && !isJoinedStore) continue;
    const given = joined?.settings[key];
    // What was chosen to carry the overlay is followed too; the other facts are found again by whoever asks.
    const raw = given === "-" && key === "iface" ? carrierOf(joined) : given;
    if (raw === undefined || raw === "-" || sources[key] !== "default") continue;
    values[key] = parse(key, { raw, source: "joined", place: `${key} in joined.json` });
    sources[key] = "joined";
  }
  return { settings: values as Settings, sources: sources as Record<SettingKey, Source>, file: file?.file };
}

/** The address before the link: that may have others, too. */
function carrierOf(joined: Joined | undefined): string | undefined {
  const { address, link } = joined?.underlay ?? {};
  return link === undefined ? joined?.found["iface"] : joinList([address, link]);
}

/** A setting's value as a user would write it. */
export function display(key: SettingKey, value: unknown): string {
  if (value === undefined) return "-";
  if (key === "leaseTtl") return seconds(Number(value));
  if (Array.isArray(value)) return joinList(value);
  if (typeof value === "object") {
    return joinList(Object.entries(value!).map(([k, v]) => `${k}=${isSecretOption(k) ? HIDDEN : v}`));
  }
  return String(value);
}

function seconds(value: number): string {
  if (value % 3600 === 0) return `${value / 3600}h`;
  return value % 60 === 0 ? `${value / 60}m` : `${value}s`;
}

interface Found {
  readonly raw: unknown;
  readonly source: Source;
  readonly place: string;
}

function find(
  key: SettingKey,
  flags: Readonly<Record<string, unknown>>,
  file: ConfigFile | undefined,
) {
  const flag = flags[key];
  if (flag !== undefined) return { raw: flag, source: "flag", place: `--${kebab(key)}` } satisfies Found;
  const variable = environmentName(key);
  const env = Deno.env.get(variable);
  if (env !== undefined && env !== "") {
    return { raw: env, source: "environment", place: variable } satisfies Found;
  }
  const value = file?.values.get(kebab(key));
  if (value === undefined || value === null) return undefined;
  return { raw: value, source: "file", place: `${kebab(key)} in ${file!.file}` } satisfies Found;
}

function parse(key: SettingKey, found: Found): unknown {
  if (found.source === "flag" && hidesSecret(key, found.raw)) {
    throw invalid(
      "config",
      `Cannot use ${found.place}: it holds a secret, and everybody on this host sees the arguments of a command`,
      `flan config set Backend.PSK --file FILE once the network is there, or ${
        environmentName(key)
      } to start it so`,
    );
  }
  try {
    return settings[key].parse(found.raw);
  } catch (error) {
    throw invalid("config", `Cannot use ${found.place} ${shown(key, found.raw)}: ${messageOf(error)}`);
  }
}

function hidesSecret(key: SettingKey, raw: unknown): boolean {
  return key === "backendOption" && holdsSecretPair(raw);
}

/** A value as it was given. YAML's aliases can make a small file hold an endless value, so the size comes first. */
function shown(key: SettingKey, raw: unknown): string {
  const value = Array.isArray(raw) && raw.length === 1 ? raw[0] : raw;
  if (key === "store" && typeof value === "string") return quoted(shownUrl(value));
  const isOne = typeof value !== "object" || value === null;
  if (isOne || isBounded(value as Json, { limit: 200, depth: 4 })) {
    return hidesSecret(key, value) ? HIDDEN : quoted(value);
  }
  return Array.isArray(value) ? "(a list)" : "(a mapping)";
}

/** A mistyped key or variable is an error: silently ignoring it would run with another value than was meant. */
function refuseUnknown(file: ConfigFile | undefined): void {
  const keys = settingKeys.map(kebab);
  for (const key of file?.values.keys() ?? []) {
    if (!keys.includes(key)) {
      throw invalid(
        "config",
        `Cannot use ${file!.file}: ${quoted(key)} is not a setting`,
        didYouMean(key, keys),
      );
    }
  }
  const variables = [...settingKeys.map(environmentName), "FLAN_CONFIG"];
  for (const name of Object.keys(Deno.env.toObject())) {
    if (name.startsWith("FLAN_") && !variables.includes(name)) {
      throw invalid(
        "config",
        `Cannot use environment variable ${quoted(name)}: no setting has that name`,
        didYouMean(name, variables),
      );
    }
  }
}
