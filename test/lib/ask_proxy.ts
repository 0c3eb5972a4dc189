/** A proxy's control socket as a test speaks to it: one line of JSON each way, and no code of the product's. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { messageOf } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { until } from "./until.ts";

/** What the operation `show` says, as far as tests look at it. */
export interface ShownProxy {
  readonly pid: number;
  readonly proxy: { readonly checkSource: boolean; readonly queues: number } | null;
  readonly carrying: boolean;
  readonly failure: string | null;
  readonly features: readonly string[];
  readonly routes: readonly (readonly [destination: string, remote: string, port: number])[];
}

/** Asks the proxy of a host, or the one whose files lie in that run directory. Resolves to undefined where none runs; throws where it refuses. */
export async function askProxy(
  { runDir }: Pick<LabHost, "runDir">,
  request: { readonly op: string; readonly [field: string]: Json },
): Promise<Json | undefined> {
  const conn = await connect(`${runDir}/proxy.sock`);
  if (conn === undefined) return undefined;
  const writer = conn.writable.getWriter();
  await writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  const text = await new Response(conn.readable).text();
  const answer = JSON.parse(text) as { ok?: Json; error?: string };
  if (answer.ok === undefined) throw new Error(`the proxy refuses ${request.op}: ${answer.error}`);
  return answer.ok;
}

async function connect(path: string): Promise<Deno.Conn | undefined> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      return undefined;
    }
    throw error;
  }
}

export async function showProxy(host: Pick<LabHost, "runDir">): Promise<ShownProxy | undefined> {
  return await askProxy(host, { op: "show" }) as ShownProxy | undefined;
}

/** The counters of a host's proxy that are not 0. Throws where none runs. */
export async function countersOf(host: LabHost): Promise<Record<string, number>> {
  const { counters } = await askProxy(host, { op: "counters" }) as { counters: Record<string, number> };
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

/** What was counted since `before`, without what did not move. */
export function countedSince(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)] as const)
      .filter(([, value]) => value !== 0),
  );
}

/** Resolves to the counters once `holds` says so of them. Throws with the last ones where it never does. */
export async function counted(
  host: LabHost,
  holds: (counters: Readonly<Record<string, number>>) => boolean,
): Promise<Record<string, number>> {
  let last: Record<string, number> = {};
  await until(`counters of ${host.namespace}`, async () => holds(last = await countersOf(host)))
    .catch((error) => Promise.reject(new Error(`${messageOf(error)}: ${JSON.stringify(last)}`)));
  return last;
}
