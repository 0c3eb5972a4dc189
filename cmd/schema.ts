/** `flan schema`: what flan's JSON documents look like, for whoever reads them with a program. */
import { invalid } from "../net/errors.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { Argument, Command, type Runner } from "./cli.ts";
import { exit } from "./exit.ts";
import { print, table } from "./output.ts";
import { documents } from "./schemas/documents.ts";

const names = Object.keys(documents);

export function command(run: Runner): Command {
  // Takes no settings: it is about flan and not about this host.
  return new Command("schema", "The JSON Schema of a document, or the list of documents")
    .addArgument(
      new Argument("[name]", "such as routes, or as documents have it, flan.routes/v1", names),
    )
    .addAfter(
      "Within v1 fields are only added, so the schemas (2020-12) allow what they do not\n" +
        "name; where they give examples of a word, there may be others later. What -o\n" +
        "jsonl prints on a line is #/$defs/line.\n\n" +
        "Example:\n  flan schema routes >routes.schema.json",
    )
    .does((_, [name]) => run(printSchema(name)));
}

function printSchema(name: string | undefined): Promise<number> {
  if (name === undefined) {
    const rows = Object.entries(documents).map(([key, shape]) => [key, String(shape["description"])]);
    print(table(["NAME", "DOCUMENT"], rows));
    return Promise.resolve(exit.done);
  }
  // As it stands in a document, too.
  const known = /^flan\.(.+)\/v1$/.exec(name)?.[1] ?? name;
  const shape = Object.hasOwn(documents, known) ? documents[known] : undefined;
  if (shape === undefined) {
    throw invalid(
      "schema",
      `Cannot show schema ${quoted(name)}: no document has that name`,
      didYouMean(known, names) ?? "flan schema lists them",
    );
  }
  print(JSON.stringify(shape, null, 2));
  return Promise.resolve(exit.done);
}
