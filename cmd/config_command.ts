/** `flan config`: this host's settings, and the network config in the store. */
import { noNetwork } from "../agent/network.ts";
import { startingConfig } from "./network_settings.ts";
import { backendFor } from "../backends/registry.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import { FlanError, invalid, messageOf, systemReason } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { withoutSecrets } from "../net/secret_option.ts";
import { printable, quoted } from "../net/text.ts";
import { type Command, newGroup, Option, type Runner } from "./cli.ts";
import { display } from "./config.ts";
import { withStore } from "./context.ts";
import { setValue } from "./config_set.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { print, printList } from "./output.ts";
import { readTextFile } from "./text_file.ts";
import { kebab, type SettingKey, settingKeys } from "./settings.ts";

/** Characters of one text value; the network config has none that is a tenth as long. */
const MAX_VALUE = 4096;

export function command(run: Runner): Command {
  const shown = leaf(
    {
      name: "show",
      summary: "Every setting of this host, and where its value comes from",
      formats: ["table", "json", "tsv"],
    },
    run,
    show,
  );
  const check = leaf(
    {
      name: "check",
      summary: "Check the settings, and the network config in the store or in FILE",
      args: [["[file]", "a network config in flannel's JSON"]],
    },
    run,
    checkAll,
  );
  const got = leaf(
    {
      name: "get",
      summary: "The network config in the store, as flannel's JSON",
      args: [["[key]", "such as Network or Backend.VNI"]],
      options: [new Option("--reveal", "secrets, too")],
      settings: [],
    },
    run,
    get,
  );
  const set = leaf(
    {
      name: "set",
      summary: "Change one value of the network config, for all hosts",
      args: [["<key>", "such as SubnetLen or Backend.VNI"], [
        "[value]",
        "JSON, or plain text; null removes the key; - reads the value from standard input",
      ]],
      options: [
        new Option("--file <file>", "read the value from a file"),
        new Option("--force", "also what costs subnets, traffic or encryption"),
      ],
      settings: [],
    },
    run,
    setValue,
  );
  return newGroup({
    name: "config",
    summary: "Show and check the settings, and the network config in the store",
  }, [
    shown,
    check,
    got,
    set,
  ]);
}

function show({ context, format, header }: Call): Promise<number> {
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
    json: (one) => ({
      setting: one.key,
      value: withoutSecrets((one.value ?? null) as Json),
      source: one.source,
    }),
    empty: "no settings",
    extra: { file: context.file ?? null },
  }, header);
  return Promise.resolve(exit.done);
}

async function checkAll({ context, args: [file] }: Call): Promise<number> {
  const value = file !== undefined
    ? readJson(file)
    : await withStore(context, async (store) => (await store.read()).config?.value);
  const where = file ?? context.settings.store;
  const config = inPlace(
    where,
    () => parseNetworkConfig(value === undefined ? startingConfig(context, []) : value),
  );
  const notes = inPlace(where, () => backendFor(config.backendType).check(config));
  for (const key of config.unknownKeys) console.error(`flan: ${where} has an unknown key ${printable(key)}`);
  for (const note of notes) console.error(`flan: ${printable(note, 2000)}`);
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

function readJson(file: string): Json {
  try {
    return JSON.parse(readTextFile(file)) as Json;
  } catch (error) {
    throw invalid("config.check", `Cannot read network config ${file}: ${systemReason(error)}`);
  }
}

async function get({ context, flags, args: [key] }: Call): Promise<number> {
  const config = await withStore(context, async (store) => (await store.read()).config);
  if (config === undefined) throw noNetwork(context.settings.store);
  const whole = flags["reveal"] === true ? config.value : withoutSecrets(config.value);
  if (key === undefined) {
    print(JSON.stringify(whole, null, 2));
    return exit.done;
  }
  let value: Json | undefined = whole;
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
    throw new FlanError(
      `Cannot show ${quoted(key)}: the network config in ${context.settings.store} does not set it`,
      { op: "config.get", code: "no" },
    );
  }
  print(typeof value === "object" ? JSON.stringify(value) : printable(String(value), MAX_VALUE));
  return exit.done;
}
