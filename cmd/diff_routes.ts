/** `flan routes diff`: what the kernel lacks and has too much. */
import { toCommands } from "../kernel/commands.ts";
import { deviations } from "../kernel/deviations.ts";
import { describe } from "../kernel/state.ts";
import type { Json } from "../net/json.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { observe } from "./observe.ts";
import { print, printFolded, printJson } from "./output.ts";
import { noLease } from "./own_lease.ts";

export async function diffRoutes({ context, format }: Call): Promise<number> {
  const { drift, overridden, actual, view } = await observe(context);
  if (view.own === undefined) throw noLease(context.settings.store);
  if (format.kind === "commands") {
    const commands = toCommands(drift.changes, actual);
    if (commands.length > 0) print(commands.join("\n"));
  }
  const changes = deviations(drift.changes, actual).map(({ is, object, differences }) => ({
    change: is,
    object: describe(object),
    differences: differences || null,
  }));
  const conflicts = [
    ...drift.conflicts.map(({ code, wanted, found }) => ({
      code,
      wanted,
      found,
      does: "stands in the way of",
    })),
    ...overridden.map(({ planned: wanted, found }) => ({
      code: "foreign-route",
      wanted,
      found,
      does: "wins over",
    })),
  ].map((one) => ({ ...one, wanted: describe(one.wanted), found: describe(one.found) }));
  const clean = changes.length === 0 && conflicts.length === 0;
  if (format.kind === "json") {
    printJson("routes-diff", {
      clean,
      changes: changes as unknown as Json,
      conflicts: conflicts.map(({ code, wanted, found }) => ({ code, wanted, found })),
    });
  } else if (format.kind === "table" && !clean) {
    printFolded([
      ...changes.map(({ change, object, differences }) =>
        `${change.padEnd(8)} ${object}${differences === null ? "" : `: ${differences}`}`
      ),
      ...conflicts.map(({ found, does, wanted }) => `foreign  ${found} ${does} ${wanted}`),
    ].join("\n"));
  } else if (format.kind === "table") console.error("the kernel agrees");
  return clean ? exit.done : exit.no;
}
