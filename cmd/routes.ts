/** `flan routes`: how every peer is reached, and whether the kernel agrees. */
import { endOf } from "../agent/status.ts";
import { type Command, newGroup, type Runner } from "./cli.ts";
import { deviations } from "../kernel/deviations.ts";
import { describe, keyOf } from "../kernel/state.ts";
import type { Change } from "../kernel/kernel.ts";
import { toCommands } from "../kernel/commands.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { exit } from "./exit.ts";
import { explainCommand } from "./explain.ts";
import { epochSeconds, remaining } from "./lease_end.ts";
import { observe, type Observed } from "./observe.ts";
import { type Call, leaf } from "./leaf.ts";
import { noLease } from "./own_lease.ts";
import { type Column, type FormatName, print, printFolded, printJson, printList } from "./output.ts";
import { type Picture, pictureOf } from "./picture.ts";
import { svgOf } from "./picture_svg.ts";
import { dotOf, mermaidOf } from "./picture_text.ts";
import { repairCommand } from "./repair.ts";
import { type Row, rowsOf } from "./route_rows.ts";
import { routeSettings as settings } from "./route_settings.ts";
import { watchCommand } from "./watch_routes.ts";

export function command(run: Runner): Command {
  const list = leaf(
    {
      name: "list",
      summary: "Every peer, its subnet, how it is reached, and whether the kernel agrees",
      settings,
      formats: ["table", "wide", "json", "jsonl", "tsv", "commands", "value", "dot", "mermaid", "svg"],
    },
    run,
    listRoutes,
  );
  const diff = leaf(
    {
      name: "diff",
      summary: "What the kernel lacks and has too much; exits with 3 if anything",
      settings,
      formats: ["table", "json", "commands"],
    },
    run,
    diffRoutes,
  );
  const summary = "How every peer is reached, and whether the kernel agrees";
  return newGroup({ name: "routes", summary }, [
    list,
    diff,
    explainCommand(run),
    repairCommand(run),
    watchCommand(run),
  ]);
}

const drawings: Readonly<Partial<Record<FormatName, (picture: Picture) => string>>> = {
  dot: dotOf,
  mermaid: mermaidOf,
  svg: svgOf,
};

async function listRoutes({ context, format, header }: Call): Promise<number> {
  const observation = await observe(context);
  if (format.kind === "commands") {
    const commands = toCommands(wantedBy(observation));
    if (commands.length > 0) print(commands.join("\n"));
    return exit.done;
  }
  const draw = drawings[format.kind];
  if (draw !== undefined) {
    print(draw(pictureOf(observation)));
    return exit.done;
  }
  const items = rowsOf(observation);
  const now = context.clock.now();
  const columns: Column<Row>[] = [
    { name: "SUBNET", cell: (row) => row.subnet },
    { name: "VIA", cell: (row) => row.via },
    { name: "DEV", cell: (row) => row.dev },
    { name: "KIND", cell: (row) => row.kind },
    { name: "STATE", cell: (row) => row.state },
    { name: "LEFT", cell: (row) => row.state === "refused" ? undefined : remaining(row.expires, now) },
    { name: "EXPIRES", cell: (row) => endOf(row.expires) ?? undefined, wide: true },
    { name: "MAC", cell: (row) => row.mac, wide: true },
    { name: "NODE", cell: (row) => row.node },
    { name: "NOTE", cell: (row) => row.note },
  ];
  const epoch = {
    name: "EXPIRES",
    cell: (row: Row) => epochSeconds(row.expires),
  };
  printList(format, {
    schema: "routes",
    items,
    columns: columns.filter((column) =>
      column.name !== "NOTE" || items.some((row) => row.note !== undefined)
    ),
    tsv: columns.filter(({ wide }) => !wide).toSpliced(5, 1, epoch),
    json: (row) => ({
      ...row,
      via: row.via ?? null,
      dev: row.dev ?? null,
      node: row.node ?? null,
      note: row.note ?? null,
      mac: row.mac ?? null,
      expires: endOf(row.expires),
    }),
    empty: "no routes: the network has no leases",
    extra: {
      network: formatCidr(observation.config.network),
      node: observation.node,
      revision: observation.snapshot.revision,
    },
  }, header);
  return exit.done;
}

/** From nothing to what the kernel should contain; a proxy is no part of it, and stays where it is as it should be. */
function wantedBy({ plan, drift }: Observed): Change[] {
  return plan.objects.flatMap((object): Change[] => {
    // Only a link must be made before it can be set.
    if (object.kind === "link") return [{ verb: "add", object }];
    if (object.kind === "hook") return [{ verb: "add", object }];
    if (object.kind !== "proxy") return [{ verb: "replace", object }];
    const state = drift.state.get(keyOf(object));
    return state === "ok" ? [] : [{ verb: state === "wrong" ? "replace" : "add", object }];
  });
}

async function diffRoutes({ context, format }: Call): Promise<number> {
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
