/** A proxy's control socket as a test speaks to it: one line of JSON each way, and no code of the product's. */
import { systemClock } from "../../agent/clock.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { Json } from "../../net/json.ts";

/** What the operation `show` says, as far as tests look at it. */
export interface ShownProxy {
  readonly pid: number;
  readonly carrying: boolean;
  readonly failure: string | null;
  readonly features: readonly string[];
  readonly routes: readonly (readonly [destination: string, remote: string, port: number])[];
}

/** Asks the proxy of a host. Resolves to undefined where none runs; throws where it refuses. */
export async function askProxy(
  { runDir }: LabHost,
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

export async function showProxy(host: LabHost): Promise<ShownProxy | undefined> {
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

/** Resolves when `holds` says so of the counters, which are asked for again and again; throws after ten seconds. */
export async function counted(
  host: LabHost,
  holds: (counters: Readonly<Record<string, number>>) => boolean,
): Promise<Record<string, number>> {
  for (let i = 0;; i++) {
    const counters = await countersOf(host);
    if (holds(counters)) return counters;
    if (i === 500) throw new Error(`not counted: ${JSON.stringify(counters)}`);
    await systemClock.sleep(20);
  }
}
