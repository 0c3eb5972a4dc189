/** This host's UDP proxy, for those who ask it. */
import { FlanError } from "../net/errors.ts";
import { ProxyClient } from "../proxy/client.ts";
import type { Context } from "./context.ts";
import type { SettingKey } from "./settings.ts";

/** The settings that say which proxy is meant, and how a person is spoken to. */
export const proxySettings: readonly SettingKey[] = ["runDir", "logFormat", "quiet", "verbose"];

export function proxyOf({ settings, clock }: Context): ProxyClient {
  return new ProxyClient({ runDir: settings.runDir, clock });
}

/** What there is to say where none runs, and somebody asks for what only one could tell. */
export function noProxy({ settings }: Context): FlanError {
  return new FlanError(`No UDP proxy runs in ${settings.runDir}`, {
    op: "proxy",
    code: "no",
    hint: "flan up starts one where the network's backend is udp",
  });
}
