/** This host's UDP proxy, for those who ask it. */
import { FlanError } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { ProxyClient } from "../proxy/client.ts";
import type { Context } from "./context.ts";
import type { SettingKey } from "./settings.ts";

/** The settings that say which proxy is meant, and how a person is spoken to. */
export const proxySettings: readonly SettingKey[] = ["runDir", "logFormat", "quiet", "verbose"];

export function proxyOf({ settings, clock }: Context): ProxyClient {
  return new ProxyClient({ runDir: settings.runDir, clock });
}

/** What a person is told of a proxy that runs in vain, undefined for one that does not. */
export function carriesNothing(
  { carrying, failure }: { carrying: boolean; failure: string | null },
): string | undefined {
  if (carrying) return undefined;
  return `carries nothing: ${failure === null ? "it waits for flan up" : printable(failure, 2000)}`;
}

/** What there is to say where none runs, and somebody asks for what only one could tell. */
export function noProxy({ settings }: Context): FlanError {
  return new FlanError(`No UDP proxy runs in ${settings.runDir}`, {
    op: "proxy",
    code: "no",
    hint: "flan up starts one where the network's backend is udp",
  });
}
