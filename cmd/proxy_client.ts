/** This host's UDP proxies, for those who ask them. */
import { FlanError } from "../net/errors.ts";
import type { Family } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import { ProxyClient } from "../proxy/client.ts";
import type { Context } from "./context.ts";
import type { SettingKey } from "./settings.ts";

/** The settings that say which proxy is meant, and how a person is spoken to. */
export const proxySettings: readonly SettingKey[] = ["runDir", "logFormat", "quiet", "verbose"];

/** The proxy whose run directory this is. */
export function proxyOf({ settings, clock }: Context): ProxyClient {
  return new ProxyClient({ runDir: settings.runDir, clock });
}

/** One of those that this host may have. */
export interface FamilyProxy {
  readonly family: Family;
  readonly client: ProxyClient;
}

/** This host's proxies, of IPv4 and of IPv6. */
export function proxiesOf(
  { settings: { runDir }, clock }: Pick<Context, "settings" | "clock">,
): readonly FamilyProxy[] {
  return ([4, 6] as const).map((family) => ({ family, client: new ProxyClient({ runDir, family, clock }) }));
}

/** What each proxy that runs says, IPv4's first. Throws `no` where none runs, and what any of them fails with. */
export async function askProxies<T>(
  context: Context,
  ask: (client: ProxyClient) => Promise<T | undefined>,
): Promise<readonly { readonly family: Family; readonly said: T }[]> {
  const all = await Promise.all(
    proxiesOf(context).map(async ({ family, client }) => ({ family, said: await ask(client) })),
  );
  const running = all.flatMap(({ family, said }) => said === undefined ? [] : [{ family, said }]);
  if (running.length === 0) throw noProxy(context);
  return running;
}

/** What a person is told of a proxy that runs in vain, undefined for one that does not. */
export function carriesNothing(
  { carrying, failure }: { carrying: boolean; failure: string | null },
): string | undefined {
  if (carrying) return undefined;
  return `carries nothing: ${failure === null ? "it waits for flan up" : printable(failure, 2000)}`;
}

/** What there is to say where none runs, and somebody asks for what only one could tell. */
function noProxy({ settings }: Context): FlanError {
  return new FlanError(`No UDP proxy runs in ${settings.runDir}`, {
    op: "proxy",
    code: "no",
    hint: "flan up starts one where the network's backend is udp",
  });
}
