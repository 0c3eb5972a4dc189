/** `flan store check`: what is wrong with the store itself and with what stands in it. */
import { decodeRecord, isRefusal } from "../lease/decode.ts";
import { parseNetworkConfig } from "../lease/network.ts";
import type { Snapshot } from "../lease/store.ts";
import { secretInClear } from "../lease/remote/in_clear.ts";
import { messageOf } from "../net/errors.ts";
import { withStore } from "./context.ts";
import { type Finding, printFindings } from "./findings.ts";
import type { Command, Runner } from "./cli.ts";
import { type Call, leaf } from "./leaf.ts";
import { credentialsOf } from "./settings.ts";

export function checkCommand(run: Runner): Command {
  return leaf(
    {
      name: "check",
      summary: "What is wrong with the store and what stands in it",
      settings: [],
      formats: ["table", "json", "tsv"],
      after: "Exits with 3 where a finding is severe (!), with 0 where all are warnings.",
    },
    run,
    checkStore,
  );
}

async function checkStore({ context, format, header }: Call): Promise<number> {
  const { snapshot, findings } = await withStore(context, async (store) => {
    const snapshot = await store.read();
    return { snapshot, findings: await store.inspect() };
  });
  const { settings } = context;
  const clear = secretInClear(settings.store, credentialsOf(settings));
  return printFindings(format, {
    schema: "store-check",
    items: worstFirst([
      ...findings,
      ...(clear === undefined ? [] : [clear]),
      ...configFindings(snapshot),
      ...recordFindings(snapshot),
    ]),
    empty: "the store is well; flan lease check looks at the leases together",
    extra: {
      store: context.settings.store,
      revision: snapshot.revision,
      leases: snapshot.records.length,
      past: snapshot.past.length,
    },
  }, header);
}

function worstFirst(findings: readonly Finding[]): Finding[] {
  const high = findings.filter(({ severity }) => severity === "high");
  return [...high, ...findings.filter(({ severity }) => severity !== "high")];
}

function configFindings({ config }: Snapshot): Finding[] {
  if (config === undefined) {
    const message = "The store holds no network config";
    return [{ code: "no-network", severity: "high", message, hint: "flan up starts a network" }];
  }
  try {
    const unknown = parseNetworkConfig(config.value).unknownKeys;
    return unknown.map((key) => ({
      code: "unknown-key",
      severity: "warning",
      message: `The network config has an unknown key ${key}`,
      hint: "flan config get",
    }));
  } catch (error) {
    return [{ code: "bad-config", severity: "high", message: messageOf(error), hint: "flan config get" }];
  }
}

function recordFindings({ records }: Snapshot): Finding[] {
  return records.map(decodeRecord).filter(isRefusal).map(({ subnet, code, reason }) => ({
    code,
    severity: "warning",
    subnet,
    message: `The record ${subnet} cannot be used: ${reason}`,
    hint: "flan lease check",
  }));
}
