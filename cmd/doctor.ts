/** `flan doctor`: what is missing or wrong on this host, each with the command that mends it. */
import { hasNetAdmin } from "../agent/capability.ts";
import { diagnose, type Finding, type Report } from "../doctor/diagnose.ts";
import { invalid } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { writeBundle } from "./doctor/bundle.ts";
import { gather } from "./doctor/gather.ts";
import { thisSystem } from "./doctor/system.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Column, folded, type Format, print, printList } from "./output.ts";

export function command(run: Runner): Command {
  return leaf(
    {
      name: "doctor",
      summary: "What is missing or wrong on this host, and what mends it",
      options: [
        new Option("--bundle <file>", "also write all that helps others to help, without secrets (tar.gz)"),
      ],
      settings: ["iface", "publicIp", "mtu", "subnetFile"],
      formats: ["table", "json", "tsv"],
      after: "It changes nothing. Exits with 3 where a finding is severe (!), with 0 where all\n" +
        "are warnings (-). Root sees more than other users.",
    },
    run,
    runDoctor,
  );
}

async function runDoctor({ context, format, header, flags }: Call): Promise<number> {
  if (flags["bundle"] === "-") {
    throw invalid("cli", 'Cannot use --bundle "-": a file is needed, for stdout has the findings');
  }
  const report = diagnose(await gather(context, thisSystem(hasNetAdmin())));
  const bundle = flags["bundle"] === undefined ? undefined : String(flags["bundle"]);
  if (bundle !== undefined) {
    await writeBundle(context, bundle, JSON.stringify(report));
    if (!context.settings.quiet) {
      console.error(`flan: Wrote ${printable(bundle)}; look through it before it is sent`);
    }
  }
  if (format.kind === "table") show(report, context.settings);
  else list(format, { report, header });
  return report.findings.some(({ severity }) => severity === "high") ? exit.no : exit.done;
}

/** The findings, what follows from another one below it, and a line for each check that could not look at everything. */
function show(
  { traffic, checks, findings }: Report,
  { quiet, verbose }: { quiet: boolean; verbose: boolean },
): void {
  const first = findings.filter(({ because }) => because === undefined);
  const lines = first.flatMap((one) => findingLines(one, { findings, indent: "" }));
  const well = checks.filter(({ state }) => state === "ok").map(({ name }) => name);
  if (!quiet && well.length > 0) {
    lines.push(...(verbose ? well.map((name) => `ok  ${name}`) : [folded(`ok  ${well.join(", ")}`)]));
  }
  if (!quiet) {
    for (const { name, unseen } of checks) {
      if (unseen !== undefined) lines.push(folded(`?   ${name}: ${printable(unseen, 2000)}`));
    }
  }
  if (!quiet && traffic !== undefined) {
    lines.push(`traffic encrypted: ${traffic.encrypted ? `yes (${traffic.backend})` : "no"}`);
  }
  if (lines.length > 0) print(lines.join("\n"));
}

function findingLines(
  finding: Finding,
  { findings, indent }: { findings: readonly Finding[]; indent: string },
): string[] {
  const { code, severity, message, remedy } = finding;
  // Of several findings with one code, the first stands for all.
  const isFirst = findings.find((one) => one.code === code) === finding;
  const caused = isFirst ? findings.filter(({ because }) => because === code) : [];
  return [
    folded(`${indent}${severity === "high" ? "!" : "-"} ${code}  ${printable(message, 2000)}`),
    `${indent}    ${printable(remedy, 400)}`,
    ...caused.flatMap((one) => findingLines(one, { findings, indent: `${indent}  ` })),
  ];
}

const columns: readonly Column<Finding>[] = [
  { name: "CODE", cell: ({ code }) => code },
  { name: "SEVERITY", cell: ({ severity }) => severity },
  { name: "SUBJECT", cell: ({ subject }) => subject },
  { name: "MESSAGE", cell: ({ message }) => message },
  { name: "REMEDY", cell: ({ remedy }) => remedy },
];

function list(format: Format, { report, header }: { report: Report; header: boolean }): void {
  printList(format, {
    schema: "doctor",
    items: report.findings,
    columns,
    tsv: columns,
    json: findingDocument,
    empty: "nothing is wrong here",
    extra: {
      encrypted: report.traffic?.encrypted ?? null,
      checks: report.checks.map(({ name, state, unseen }) => ({ name, state, unseen: unseen ?? null })),
    },
  }, header);
}

function findingDocument({ code, severity, subject, message, remedy, because }: Finding) {
  return { code, severity, subject, message, remedy, because: because ?? null };
}
