/** `flan proxy stats`: what the proxy has carried, and what it has dropped and why. */
import type { Counted } from "../proxy/answers.ts";
import { type Command, Option, type Runner } from "./cli.ts";
import { invalid } from "../net/errors.ts";
import type { Family } from "../net/ip.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Format, print, printJson, sayBefore, table } from "./output.ts";
import { askProxies, carriesNothing, proxySettings } from "./proxy_client.ts";
import { type Counters, ratesOf, shownCounters } from "./proxy_counters.ts";
import { listenForSignals } from "./signals.ts";

const EVERY_MS = 1000;

export function statsCommand(run: Runner): Command {
  return leaf(
    {
      name: "stats",
      summary: "What the proxy has carried and dropped",
      anywhere: true,
      settings: proxySettings,
      options: [new Option("--watch", "print rates per second, every second")],
      formats: ["table", "json", "jsonl"],
      after:
        "Drops are shown where there are any; JSON has all counters. Exits with 3 where\nno proxy runs, or one that carries nothing.",
    },
    run,
    ({ context, format, flags }: Call) =>
      flags["watch"] === true ? watch(context, format) : showOnce(context, format),
  );
}

async function showOnce(context: Context, format: Format): Promise<number> {
  const all = await askProxies(context, (client) => client.counters());
  const vain = all.map(({ said }) => carriesNothing(said)).filter((words) => words !== undefined);
  for (const words of vain) sayBefore(format, words);
  const document = beside(all.map(({ said }) => documentOf(said)));
  if (format.kind === "json") printJson("proxy-stats", document);
  else if (format.kind === "jsonl") print(JSON.stringify(document));
  else print(tableOf(all.map(({ family, said: { counters } }) => ({ family, counters })), "COUNT"));
  return vain.length === 0 ? exit.done : exit.no;
}

function documentOf({ since, carrying, failure, features, counters }: Counted) {
  return { since, carrying, failure, features, counters };
}

/** The first proxy's, and beside it the other one's, which is IPv6's. */
function beside<T extends Record<string, unknown>>([first, second]: readonly T[]) {
  return second === undefined ? first! : { ...first!, ipv6: second };
}

/** Until it is interrupted, or the proxy is gone. */
async function watch(context: Context, format: Format): Promise<number> {
  if (format.kind === "json") {
    throw invalid("cli", 'Cannot print format "json" with --watch: table or jsonl is needed', "-o jsonl");
  }
  const { clock } = context;
  const signals = listenForSignals();
  const ended = new AbortController();
  signals.stopped.then(() => ended.abort());
  try {
    let before = await sampleOf(context);
    while (true) {
      await clock.sleep(EVERY_MS, ended.signal);
      if (ended.signal.aborted) return await signals.stopped;
      const now = await sampleOf(context);
      const rates = now.all.map(({ family, counters }) => {
        const former = before.all.find((one) => one.family === family)?.counters ?? {};
        return { family, counters: ratesOf(former, counters, now.at - before.at) };
      });
      before = now;
      if (format.kind === "jsonl") {
        const document = beside(rates.map(({ counters }) => ({ rates: counters })));
        print(JSON.stringify({ time: new Date(clock.now()).toISOString(), ...document }));
      } else print(`${tableOf(rates, "PER SECOND")}\n`);
    }
  } finally {
    signals.close();
  }
}

/** The counters of one proxy. */
interface Counts {
  readonly family: Family;
  readonly counters: Counters;
}

async function sampleOf(context: Context): Promise<{ all: readonly Counts[]; at: number }> {
  const asked = await askProxies(context, (client) => client.counters());
  const all = asked.map(({ family, said }) => ({ family, counters: said.counters }));
  return { all, at: context.clock.monotonic() };
}

/** A column for each proxy; where there is but one, it is called by what it counts. */
function tableOf(all: readonly Counts[], value: string): string {
  const columns = all.length === 1 ? [value] : all.map(({ family }) => `IPV${family}`);
  const shown = all.map(({ counters }) => new Map(shownCounters(counters)));
  const names = [...new Set(shown.flatMap((counters) => [...counters.keys()]))];
  const rows = names.map((name) => [name, ...shown.map((counters) => String(counters.get(name) ?? 0))]);
  return table(["COUNTER", ...columns], rows);
}
