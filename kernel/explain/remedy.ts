/** The commands that mend a way, for a person to run. */
import { toCommands } from "../commands.ts";
import { MAIN_TABLE, type RouteMatch } from "../kernel.ts";
import { type KernelObject, keyOf } from "../state.ts";
import type { WayFacts } from "./way.ts";

/** All that mends what flan wants on this way. */
export function repairOf({ wanted, changes, actual }: WayFacts): readonly string[] {
  const keys = new Set(wanted.map(keyOf));
  return toCommands(changes.filter(({ object }) => keys.has(keyOf(object))), actual);
}

/** Takes away what stands in the place of an object of flan's; whether that may be is its owner's to say. */
export function removalOf(found: KernelObject): readonly string[] {
  return toCommands([{ verb: "delete", object: found }]);
}

/** The same for a route of whatever table. */
export function routeRemoval({ route, table }: RouteMatch): readonly string[] {
  const [command = ""] = removalOf(route);
  return [table === MAIN_TABLE ? command : `${command} table ${table}`];
}
