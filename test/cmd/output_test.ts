/** What stdout gets, in every format. */
import assert from "node:assert/strict";
import { foldLine } from "../../cmd/fold.ts";
import {
  type Format,
  type Listing,
  outputFormat,
  print,
  printList,
  table,
  valueOf,
} from "../../cmd/output.ts";
import { FlanError } from "../../net/errors.ts";
import { isPrintable } from "../../net/text.ts";

interface Thing {
  readonly name: string;
  readonly size: number | undefined;
}

const things: Thing[] = [{ name: "a\u001b[2J", size: 7 }, { name: "", size: undefined }];

function listing(items: readonly Thing[]): Listing<Thing> {
  const columns = [
    { name: "NAME", cell: (one: Thing) => one.name },
    { name: "SIZE", cell: (one: Thing) => one.size, wide: true },
  ];
  return {
    schema: "things",
    items,
    columns,
    tsv: columns,
    json: (one) => ({ name: one.name, size: one.size ?? null }),
    empty: "no things",
    extra: { revision: 3 },
  };
}

/** What `work` writes to stdout and stderr. */
function capture(work: () => void): { stdout: string; stderr: string } {
  const said = { stdout: "", stderr: "" };
  const { writeSync, isTerminal } = Deno.stdout;
  const { error } = console;
  Deno.stdout.writeSync = (bytes) => {
    // A pipe takes what fits; the rest must be offered again.
    const part = bytes.subarray(0, 5);
    said.stdout += new TextDecoder().decode(part);
    return part.length;
  };
  Deno.stdout.isTerminal = () => false;
  console.error = (text: string) => void (said.stderr += `${text}\n`);
  try {
    work();
  } finally {
    Object.assign(Deno.stdout, { writeSync, isTerminal });
    console.error = error;
  }
  return said;
}

function printed(format: Format, { items = things, header = false } = {}): string {
  const { stdout, stderr } = capture(() => printList(format, listing(items), header));
  assert.equal(stderr, "");
  return stdout;
}

Deno.test("table: aligned, only the narrow columns, controls written out, - for nothing", () => {
  assert.equal(printed({ kind: "table" }), "NAME\na\\u001b[2J\n-\n");
});

Deno.test("wide: all columns", () => {
  assert.equal(printed({ kind: "wide" }), "NAME        SIZE\na\\u001b[2J  7\n-           -\n");
});

Deno.test("tsv: one line an item, names only when asked for", () => {
  assert.equal(printed({ kind: "tsv" }), "a\\u001b[2J\t7\n-\t-\n");
  assert.equal(printed({ kind: "tsv" }, { header: true }), "name\tsize\na\\u001b[2J\t7\n-\t-\n");
});

Deno.test("a tab or a line end in a value cannot break a table or a TSV row", () => {
  const items = [{ name: "a\tb\nc\r\u2028d", size: 1 }];
  assert.equal(printed({ kind: "tsv" }, { items }), "a\\u0009b\\u000ac\\u000d\\u2028d\t1\n");
});

Deno.test("json: schema first, then what is said of the list, then the items", () => {
  const document = JSON.parse(printed({ kind: "json" }));
  assert.deepEqual(Object.keys(document), ["schema", "revision", "items"]);
  assert.equal(document.schema, "flan.things/v1");
  assert.deepEqual(document.items, [{ name: "a\u001b[2J", size: 7 }, { name: "", size: null }]);
});

Deno.test("JSON holds no raw control character", () => {
  for (const kind of ["json", "jsonl"] as const) assert.ok(!printed({ kind }).includes("\u001b"));
});

Deno.test("nothing that a terminal obeys is printed, and in JSON it is still the same text", () => {
  const name = "a\u009b31m\u202eb\u200b\u2028c\u007f";
  const { stdout } = capture(() => {
    print(`x\u001b[2J\r${name}\ty\nz`);
    printList({ kind: "json" }, listing([{ name, size: 1 }]));
    print(valueOf({ data: { name } }, "data"));
  });
  assert.ok(stdout.split(/[\n\t]/).every(isPrintable), JSON.stringify(stdout));
  assert.match(stdout, /^x\\u001b\[2J\\u000da\\u009b31m.*\ty\nz\n/);
  const documents = /(\{\n[^]*\n\})\n(.*)\n$/.exec(stdout)!;
  assert.equal(JSON.parse(documents[1]!).items[0].name, name);
  assert.deepEqual(JSON.parse(documents[2]!), { name });
});

Deno.test("jsonl: one document a line", () => {
  const lines = printed({ kind: "jsonl" }).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, [{ name: "a\u001b[2J", size: 7 }, { name: "", size: null }]);
});

Deno.test("value: one field of each item", () => {
  assert.equal(printed({ kind: "value", field: "size" }), "7\n-\n");
});

Deno.test("an empty list is an empty answer for programs, and a word on stderr for people", () => {
  assert.equal(printed({ kind: "tsv" }, { items: [] }), "");
  assert.equal(printed({ kind: "jsonl" }, { items: [] }), "");
  assert.deepEqual(JSON.parse(printed({ kind: "json" }, { items: [] })).items, []);
  const { stdout, stderr } = capture(() => printList({ kind: "table" }, listing([])));
  assert.deepEqual([stdout, stderr], ["", "no things\n"]);
});

Deno.test("fields of a document: text as it is, objects as JSON, - for none, own fields only", () => {
  const document = { text: "x", number: 7, flag: false, none: null, data: { VNI: 1 } };
  const values = ["text", "number", "flag", "none", "data"].map((field) => valueOf(document, field));
  assert.deepEqual(values, ["x", "7", "false", "-", '{"VNI":1}']);
  for (const field of ["nope", "toString", "__proto__"]) {
    assert.throws(() => valueOf(document, field), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, /^Cannot print field ".*": the fields are text, number, flag, none, data$/);
      return true;
    });
  }
});

Deno.test("columns are as wide as their content and have two spaces between, none at the end", () => {
  assert.equal(table(["A", "LONG"], [["xyz", "1"], ["x", ""]]), "A    LONG\nxyz  1\nx");
});

Deno.test("a note that a terminal has no room for stands whole below its row, and only there", () => {
  const names = ["SUBNET", "STATE", "NOTE"];
  const why = "bad-endpoint: its endpoint 127.0.0.1 cannot be a host's address";
  const rows = [["10.5.1.0/24", "own", "-"], ["10.5.5.0/24", "refused", why]];
  const below = ["SUBNET       STATE", "10.5.1.0/24  own", "10.5.5.0/24  refused", `    ${why}`];
  assert.equal(table(names, rows, 70), below.join("\n"));
  const tight = foldLine(below[3]!, 60);
  assert.equal(table(names, rows, 60), [...below.slice(0, 3), tight].join("\n"));
  const beside = table(names, rows, 0);
  assert.equal(beside.split("\n")[2], `10.5.5.0/24  refused  ${why}`);
  assert.equal(table(names, rows, 200), beside);
});

Deno.test("the format is what the flags ask for, the first by default", () => {
  const kinds = ["table", "json", "value"] as const;
  assert.deepEqual(outputFormat({}, kinds), { kind: "table" });
  assert.deepEqual(outputFormat({ json: true }, kinds), { kind: "json" });
  assert.deepEqual(outputFormat({ output: "value=a=b" }, kinds), { kind: "value", field: "a=b" });
  for (const output of ["tsv", "value", "json=x", "", "jsno", "\u001b[2J"]) {
    assert.throws(
      () => outputFormat({ output }, kinds),
      /^FlanError: Cannot print format ".*": one of table, json/,
    );
  }
});

Deno.test("--json is one document, and one on each line of what never ends", () => {
  assert.deepEqual(outputFormat({ json: true }, ["table", "json", "jsonl"]), { kind: "json" });
  assert.deepEqual(outputFormat({ json: true }, ["table", "jsonl"]), { kind: "jsonl" });
});
