/** `flan config`: this host's settings, and the network config in the store. */
import { startingConfig } from "./network_settings.ts";
import { backendFor } from "../backends/registry.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import { invalid, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { type AnyCommand, newCommand, Option, type Runner } from "./cli.ts";
import { addSettings, display } from "./config.ts";
import { type Context, type Flags, noNetwork, openContext, withStore } from "./context.ts";
import { setValue } from "./config_set.ts";
import { exit } from "./exit.ts";
import { addOutput, type Format, type FormatName, outputFormat, print, printList } from "./output.ts";
import { kebab, type SettingKey, settingKeys } from "./settings.ts";

const showFormats: FormatName[] = ["table", "json", "tsv"];

export function command(run: Runner): AnyCommand {
  const config = newCommand("config", "Show and check the settings, and the network config in the store");
  config.addCommand(
    addOutput(
      addSettings(newCommand("show", "Every setting of this host, and where its value comes from")),
      showFormats,
    )
      .action((flags: Flags) =>
        run(show(openContext(flags), outputFormat(flags, showFormats), flags["header"] === true))
      ),
    { isDefault: true },
  );
  const check = newCommand("check", "Check the settings, and the network config in the store or in FILE")
    .argument("[file]", "a network config in flannel's JSON");
  config.addCommand(
    addSettings(check).action((file: string | undefined, flags: Flags) =>
      run(checkAll(openContext(flags), file))
    ),
  );
  config.addCommand(
    addSettings(newCommand("get", "The network config in the store, as flannel's JSON"), [
      "store",
      "logFormat",
      "quiet",
      "verbose",
    ])
      .argument("[key]", "such as Network or Backend.VNI")
      .action((key: string | undefined, flags: Flags) => run(get(openContext(flags), key))),
  );
  const set = newCommand("set", "Change one value of the network config, for all hosts")
    .argument("<key>", "such as SubnetLen or Backend.VNI")
    .argument("<value>", "JSON, or plain text")
    .addOption(new Option("--force", "also what moves hosts to other subnets or devices"));
  config.addCommand(
    addSettings(set, ["store", "logFormat", "quiet", "verbose"]).action((
      key: string,
      value: string,
      flags: Flags,
    ) => run(setValue(openContext(flags), { key, value, force: flags["force"] === true }))),
  );
  return config;
}

function show(context: Context, format: Format, header: boolean): Promise<number> {
  const row = (key: SettingKey) => ({
    key: kebab(key),
    value: context.settings[key],
    text: display(key, context.settings[key]),
    source: context.sources[key],
  });
  printList(format, {
    schema: "settings",
    items: settingKeys.map(row),
    columns: [
      { name: "SETTING", cell: (one) => one.key },
      { name: "VALUE", cell: (one) => one.text },
      { name: "SOURCE", cell: (one) => one.source },
    ],
    tsv: [
      { name: "SETTING", cell: (one) => one.key },
      { name: "VALUE", cell: (one) => one.text },
      { name: "SOURCE", cell: (one) => one.source },
    ],
    json: (one) => ({ setting: one.key, value: (one.value ?? null) as Json, source: one.source }),
    empty: "no settings",
    extra: { file: context.file ?? null },
  }, header);
  return Promise.resolve(exit.done);
}

async function checkAll(context: Context, file: string | undefined): Promise<number> {
  const value = file !== undefined
    ? readJson(file)
    : await withStore(context, async (store) => (await store.read()).config?.value);
  const where = file ?? context.settings.store;
  const config = inPlace(where, () => parseNetworkConfig(value ?? startingConfig(context, [])));
  const notes = inPlace(where, () => backendFor(config.backendType).check(config));
  for (const key of config.unknownKeys) console.error(`flan: ${where} has an unknown key ${key}`);
  for (const note of notes) console.error(`flan: ${note}`);
  print(
    value === undefined
      ? `the settings are valid; ${where} holds no network yet`
      : `the settings and the network config in ${where} are valid`,
  );
  return exit.done;
}

/** Adds the place to what a parser says of a value. */
function inPlace<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw invalid("config.check", `Cannot use the network config in ${where}: ${messageOf(error)}`);
  }
}

const MAX_BYTES = 1 << 20;

function readJson(file: string): Json {
  try {
    if (Deno.statSync(file).size > MAX_BYTES) throw new TypeError(`it is larger than ${MAX_BYTES} bytes`);
    return JSON.parse(Deno.readTextFileSync(file)) as Json;
  } catch (error) {
    throw invalid("config.check", `Cannot read network config ${file}: ${messageOf(error)}`);
  }
}

async function get(context: Context, key: string | undefined): Promise<number> {
  const config = await withStore(context, async (store) => (await store.read()).config);
  if (config === undefined) throw noNetwork(context.settings.store);
  if (key === undefined) {
    print(JSON.stringify(config.value, null, 2));
    return exit.done;
  }
  let value: Json | undefined = config.value;
  for (const part of key.split(".")) {
    const fields: Readonly<Record<string, Json>> =
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? value as Record<string, Json>
        : {};
    const name: string | undefined = Object.keys(fields).find((known) =>
      known.toLowerCase() === part.toLowerCase()
    );
    value = name === undefined ? undefined : fields[name];
  }
  if (value === undefined) {
    throw invalid(
      "config.get",
      `Cannot show ${key}: the network config in ${context.settings.store} does not set it`,
    );
  }
  print(typeof value === "object" ? JSON.stringify(value) : String(value));
  return exit.done;
}
