/**
 * `deno task bench [PART…] [--quick] [--readme] [--json FILE]`: the figures of flan on this machine, as tables, and as JSON where
 * asked. It asserts nothing: a slow machine is not a defect.
 */
import { print } from "../../cmd/output.ts";
import { measureCommands } from "./commands.ts";
import { measureConvergence } from "./converge.ts";
import { measureEtcd } from "./etcd.ts";
import { measureNetwork } from "./network.ts";
import { measurePlanes } from "./planes/planes.ts";
import { benchText, withBench } from "./readme.ts";
import { help, settingsOf } from "./settings.ts";
import { settingsOrExit } from "./usage.ts";

/** What goes into the README, by part. */
const tables = new Map<string, string>();

/** Each prints what it finds, and resolves to its fields of the JSON document. */
const parts: Readonly<Record<string, (isQuick: boolean) => Promise<object>>> = {
  planes: async (isQuick) => ({ planes: await measurePlanes({ isQuick }) }),
  converge: async () => ({ converged: await measureConvergence() }),
  network: measureNetwork,
  commands: async () => ({ commands: await measureCommands((table) => tables.set("commands", table)) }),
  etcd: async () => ({ etcd: await measureEtcd() }),
};

const all = Object.keys(parts);
const settings = settingsOrExit(() => settingsOf(Deno.args, all), help(all));
const load = Deno.loadavg()[0]!.toFixed(1);
const model = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
const machine = `${navigator.hardwareConcurrency} cores (${model}), Linux ${Deno.osRelease()}`;
const said = `machine: ${machine}, load ${load} at the start`;
print(said);
const found: object[] = [];
for (const name of settings.parts) found.push(await parts[name]!(settings.isQuick));
if (settings.isForReadme) {
  const file = new URL("../../README.md", import.meta.url);
  for (const [part, table] of tables) {
    const text = benchText(part, { machine: said, table });
    Deno.writeTextFileSync(file, withBench(Deno.readTextFileSync(file), { part, text }));
  }
}
if (settings.json !== undefined) {
  const document = Object.assign({ schema: "flan.bench/v1", machine, load }, ...found);
  Deno.writeTextFileSync(settings.json, JSON.stringify(document, null, 2));
}
