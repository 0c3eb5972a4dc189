/** The config file that an installation brings: every setting with its default, all of it commented out. */
import { display } from "../../cmd/config.ts";
import { type Setting, settings } from "../../cmd/settings.ts";
import { kebab, type SettingKey, settingKeys } from "../../cmd/settings.ts";

const head =
  `# Settings of flan; flags and FLAN_* variables go before them. All are commented out: these are the defaults.
# "flan config show" says which value is in force and where it comes from, "flan config check" whether all is well.
`;

/** YAML that says nothing until somebody takes a `#` away. */
export function configTemplate(): string {
  return head +
    settingKeys.map((key) => `\n# ${settings[key].help}\n#${kebab(key)}: ${example(key)}\n`).join("");
}

/** The default, or what a value looks like where there is none. */
function example(key: SettingKey): string {
  const { fallback, argument } = settings[key] as Setting<unknown>;
  if (fallback !== undefined) return display(key, fallback);
  return argument.endsWith("...>") ? `[${argument.replace("...", "")}]` : argument;
}
