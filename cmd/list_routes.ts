/** `flan routes list`: how every peer is reached, as a table, a document, the commands that make it so, or a drawing. */
import { endOf } from "../agent/status.ts";
import type { Change } from "../kernel/kernel.ts";
import { keyOf } from "../kernel/state.ts";
import { formatCidr } from "../net/ip.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { epochSeconds, remaining } from "./lease_end.ts";
import { observe, type Observed } from "./observe.ts";
import { type Column, type FormatName, print, printList } from "./output.ts";
import { type Row, rowsOf } from "./route_rows.ts";

export async function listRoutes({ context, format, header }: Call): Promise<number> {
  const observation = await observe(context);
  if (format.kind === "commands") {
    const { toCommands } = await import("../kernel/commands.ts");
    const commands = toCommands(wantedBy(observation));
    if (commands.length > 0) print(commands.join("\n"));
    return exit.done;
  }
  const drawing = await drawn(format.kind, observation);
  if (drawing !== undefined) {
    print(drawing);
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

/** The text of a drawing; undefined for a format that is none. */
async function drawn(kind: FormatName, observed: Observed): Promise<string | undefined> {
  if (kind !== "dot" && kind !== "mermaid" && kind !== "svg") return undefined;
  const { pictureOf } = await import("./picture.ts");
  const picture = pictureOf(observed);
  if (kind === "svg") return (await import("./picture_svg.ts")).svgOf(picture);
  const { dotOf, mermaidOf } = await import("./picture_text.ts");
  return kind === "dot" ? dotOf(picture) : mermaidOf(picture);
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
