/** `flan proxy stats`: what the proxy has carried, and what it has dropped and why. */
import type { Counted } from "../proxy/answers.ts";
import { type AnyCommand, Option, type Runner } from "./cli.ts";
import { invalid } from "../net/errors.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Format, print, printJson, sayBefore, table } from "./output.ts";
import { carriesNothing, noProxy, proxyOf, proxySettings } from "./proxy_client.ts";
import { type Counters, ratesOf, shownCounters } from "./proxy_counters.ts";
import { listenForSignals } from "./signals.ts";

const EVERY_MS = 1000;

export function statsCommand(run: Runner): AnyCommand {
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
  const counted = await proxyOf(context).counters();
  if (counted === undefined) throw noProxy(context);
  const { since, features, counters, carrying, failure } = counted;
  const vain = carriesNothing(counted);
  if (vain !== undefined) sayBefore(format, vain);
  if (format.kind === "json") printJson("proxy-stats", { since, carrying, failure, features, counters });
  else if (format.kind === "jsonl") print(JSON.stringify({ since, carrying, failure, features, counters }));
  else print(tableOf(counters, { name: "COUNTER", value: "COUNT" }));
  return vain === undefined ? exit.done : exit.no;
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
      const rates = ratesOf(before.counted.counters, now.counted.counters, now.at - before.at);
      before = now;
      if (format.kind === "jsonl") {
        print(JSON.stringify({ time: new Date(clock.now()).toISOString(), rates }));
      } else print(`${tableOf(rates, { name: "COUNTER", value: "PER SECOND" })}\n`);
    }
  } finally {
    signals.close();
  }
}

async function sampleOf(context: Context): Promise<{ counted: Counted; at: number }> {
  const counted = await proxyOf(context).counters();
  if (counted === undefined) throw noProxy(context);
  return { counted, at: context.clock.monotonic() };
}

function tableOf(counters: Counters, names: { name: string; value: string }): string {
  const rows = shownCounters(counters).map(([name, value]) => [name, String(value)]);
  return table([names.name, names.value], rows);
}
