/** `flan store import`: a network's document into a store, without taking anything from anybody. */
import { MAX_DOCUMENT } from "../lease/document/document.ts";
import { applyImport, importedDocument, planImport, type Step } from "../lease/transfer.ts";
import { invalid, systemReason } from "../net/errors.ts";
import { withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Column, type Listing, printList } from "./output.ts";
import { readTextFile } from "./text_file.ts";

const columns: readonly Column<Step>[] = [
  { name: "ACTION", cell: ({ action }) => action },
  { name: "SUBNET", cell: ({ subnet }) => subnet },
  { name: "NODE", cell: ({ node }) => node },
  { name: "REASON", cell: ({ reason }) => reason },
];

export function importCommand(run: Runner): Command {
  return leaf(
    {
      name: "import",
      summary: "Put the network of an exported document into the store",
      args: [["<file>", "the document, - for stdin"]],
      options: [new Option("--plan", "only say what would be done")],
      settings: [],
      formats: ["table", "json", "tsv"],
      after: "Nothing that stands there is changed, prolonged or taken away: a lease is\n" +
        "created where its subnet is free and its host has none, for what is left of its\nlife. " +
        "The past is not imported. Exits with 3 where something is in conflict,\n" +
        "having done the rest, and with 1, having done nothing, where the store serves\n" +
        "another network. Where the store gives up half-way, the list says what was done:\nimport again when it is back.",
    },
    run,
    importStore,
  );
}

async function importStore({ context, format, header, flags, args: [file = ""] }: Call): Promise<number> {
  const place = file === "-" ? "stdin" : file;
  const document = importedDocument(readDocument(file, place), place);
  const planned = flags["plan"] === true;
  const { steps, failure } = await withStore(context, async (store) => {
    const plan = planImport(document, await store.read(), context.clock.now());
    return planned ? { steps: plan, failure: undefined } : await applyImport(store, plan, document);
  });
  printList(format, listing(steps, planned), header);
  console.error(`flan: ${summary(steps, planned)}`);
  // Not before it is known what was done.
  if (failure !== undefined) throw failure;
  return steps.some(({ action }) => action === "conflict") ? exit.no : exit.done;
}

function readDocument(file: string, place: string): string {
  try {
    return readTextFile(file === "-" ? "/dev/stdin" : file, MAX_DOCUMENT);
  } catch (error) {
    throw invalid("store.import", `Cannot import ${place}: ${systemReason(error)}`);
  }
}

function listing(steps: readonly Step[], planned: boolean): Listing<Step> {
  const counts = Object.fromEntries(
    (["create", "same", "skip", "conflict", "failed"] as const).map((
      action,
    ) => [action, count(steps, action)]),
  );
  return {
    schema: "store-import",
    items: steps,
    columns: columns.filter(({ name }) =>
      name !== "REASON" || steps.some(({ reason }) => reason !== undefined)
    ),
    tsv: columns,
    json: ({ action, what, subnet, node, reason }) => ({
      action,
      what,
      subnet,
      node: node ?? null,
      reason: reason ?? null,
    }),
    empty: "the document holds no network and no leases",
    extra: { planned, ...counts },
  };
}

function summary(steps: readonly Step[], planned: boolean): string {
  const [created, same] = [count(steps, "create"), count(steps, "same")];
  const [skipped, conflicts] = [count(steps, "skip"), count(steps, "conflict")];
  const failed = count(steps, "failed");
  const rest = [
    ...(same > 0 ? [`${same} stood there already`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(conflicts > 0 ? [`${conflicts} in conflict`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(", ");
  const verb = planned
    ? `would create ${created}`
    : created > 0
    ? `created ${created}`
    : "nothing was changed";
  return rest === "" ? verb : `${verb}; ${rest}`;
}

function count(steps: readonly Step[], action: Step["action"]): number {
  return steps.filter((step) => step.action === action).length;
}
