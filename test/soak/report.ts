/** What a soak found, as text. */
import { print, table } from "../../cmd/output.ts";
import type { Figures } from "./run.ts";

/** Prints the figures, and what is wrong. */
export function report(found: Figures, broken: readonly string[]): void {
  const { carried, churn, slowest } = found;
  print(
    [
      `carried: ${carried.datagrams} datagrams, ${carried.pings} pings, ${carried.blocks} TCP blocks with`,
      `  checksums (${
        carried.gigabytes.toFixed(1)
      } GB, the slowest ${carried.slowest} ms); late ${carried.late},`,
      `  damaged ${
        carried.damaged + carried.wrong
      }, duplicates ${carried.duplicates}, broken connections ${carried.broken.length}`,
      `peers: ${churn.added} came, ${churn.removed} went; all routes agreed within ${
        churn.slowest.toFixed(0)
      } ms`,
      `control: ${found.sent} requests, ${found.answered} answered, ${found.explained} while their process was ended,`,
      `  ${found.unexplained.length} lost; the slowest answer ${slowest.ms.toFixed(0)} ms (${slowest.who})`,
      `repairs: ${found.repairs}`,
      "",
    ].join("\n"),
  );
  print(causes(found));
  print("");
  print(
    found.growths.length > 0 ? processes(found) : "no process lived for ten minutes: no leak can be told",
  );
  print("");
  for (const counters of found.counters) print(`counted: ${drops(counters)}`);
  print("");
  for (const one of broken) print(`BROKEN: ${one}`);
  print(broken.length === 0 ? "all invariants held" : `${broken.length} broken`);
}

function causes({ windows, losses }: Figures): string {
  const explained = [...Map.groupBy(windows, ({ cause }) => cause)].map(([cause, times]) => [
    cause,
    String(times.length),
    String(losses.byCause[cause] ?? 0),
    times[0]!.outage > 0 ? `${Math.round(losses.longest[cause] ?? 0)} ms` : "none allowed",
  ]);
  const others = Object.entries({ nothing: 0, ...losses.unexplained }).map(([cause, count]) => [
    cause,
    "-",
    String(count),
    "none allowed",
  ]);
  return table(["CAUSE", "TIMES", "PACKETS LOST", "LONGEST"], [...explained, ...others]);
}

function processes({ growths }: Figures): string {
  return table(
    ["PROCESS", "PID", "WATCHED", "RSS", "AN HOUR", "DESCRIPTORS", ""],
    growths.map(({ who, pid, seconds, rss, perHour, descriptors, isLeaking }) => [
      who,
      String(pid),
      `${Math.round(seconds)} s`,
      `${rss.toFixed(1)} MB`,
      `${perHour >= 0 ? "+" : ""}${perHour.toFixed(1)} MB`,
      descriptors.join(" to "),
      isLeaking ? "LEAKS" : "flat",
    ]),
  );
}

function drops(counters: Readonly<Record<string, number>>): string {
  return Object.entries(counters).filter(([, value]) => value !== 0).map(([name, value]) =>
    `${name} ${value}`
  )
    .join(", ");
}
