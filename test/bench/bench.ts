/**
 * `deno task bench [PART…] [--quick] [--json FILE]`: the figures of flan on this machine, as tables, and as JSON where
 * asked. It asserts nothing: a slow machine is not a defect.
 */
import { print } from "../../cmd/output.ts";
import { measureCommands } from "./commands.ts";
import { measureConvergence } from "./converge.ts";
import { measureEtcd } from "./etcd.ts";
import { measureNetwork } from "./network.ts";
import { measurePlanes } from "./planes/planes.ts";
import { help, settingsOf } from "./settings.ts";
import { settingsOrExit } from "./usage.ts";

/** Each prints what it finds, and resolves to its fields of the JSON document. */
const parts: Readonly<Record<string, (isQuick: boolean) => Promise<object>>> = {
  planes: async (isQuick) => ({ planes: await measurePlanes({ isQuick }) }),
  converge: async () => ({ converged: await measureConvergence() }),
  network: measureNetwork,
  commands: async () => ({ commands: await measureCommands() }),
  etcd: async () => ({ etcd: await measureEtcd() }),
};

const all = Object.keys(parts);
const settings = settingsOrExit(() => settingsOf(Deno.args, all), help(all));
const load = Deno.loadavg()[0]!.toFixed(1);
const model = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
const machine = `${navigator.hardwareConcurrency} cores (${model}), Linux ${Deno.osRelease()}`;
print(`machine: ${machine}, load ${load} at the start`);
const found: object[] = [];
for (const name of settings.parts) found.push(await parts[name]!(settings.isQuick));
if (settings.json !== undefined) {
  const document = Object.assign({ schema: "flan.bench/v1", machine, load }, ...found);
  Deno.writeTextFileSync(settings.json, JSON.stringify(document, null, 2));
}
