/** Routes that a proxy is given and loses: as few requests as will do, and as many as it takes to name a bad route. */
import { isRefusal } from "../control/ask.ts";
import type { Change, Failure } from "../kernel/kernel.ts";
import { describe, type ProxyRoute } from "../kernel/state.ts";
import { FlanError } from "../net/errors.ts";
import type { ProxyClient } from "./client.ts";
import { asKernelError } from "./failures.ts";
import { wayOf } from "./objects.ts";
import type { Way } from "./protocol.ts";

/** A request with so many routes is read and carried out in some milliseconds. */
const BATCH = 16_384;

/** Requests that one batch may take: enough to find a handful of bad routes among so many. */
const MAX_REQUESTS = 128;

export interface RouteChangesInit {
  readonly client: ProxyClient;
  /** Told the generation that an own deed led to, and of which link's proxy. */
  readonly did: (generation: number, link: string) => void;
}

/**
 * Carries out changes of the routes of one link, which {@link batchFrom} has put together. Where the proxy refuses them
 * they are halved until the bad one is alone, and so the only one that fails.
 */
export async function changeRoutes(
  batch: readonly Change[],
  init: RouteChangesInit,
): Promise<readonly Failure[]> {
  let left = MAX_REQUESTS;
  const attempt = async (part: readonly Change[]): Promise<readonly Failure[]> => {
    try {
      left--;
      await send(part, init);
      return [];
    } catch (error) {
      if (!isRefusal(error)) return failAll(part, error);
      if (part.length === 1 || left <= 0) return failEach(part, error);
      const half = part.length >> 1;
      return [...await attempt(part.slice(0, half)), ...await attempt(part.slice(half))];
    }
  };
  return await attempt(batch);
}

/** The routes from `at` on that one request takes, which removes before it puts. */
export function batchFrom(changes: readonly Change[], at: number): readonly Change[] {
  const { link } = changes[at]!.object as ProxyRoute;
  const put = new Set<string>();
  let end = at;
  for (; end < changes.length && end - at < BATCH; end++) {
    const { verb, object } = changes[end]!;
    if (object.kind !== "proxy-route" || object.link !== link) break;
    if (verb !== "delete") put.add(object.destination);
    else if (put.has(object.destination)) break;
  }
  return changes.slice(at, end);
}

async function send(part: readonly Change[], { client, did }: RouteChangesInit): Promise<void> {
  const { link } = part[0]!.object as ProxyRoute;
  const put: Way[] = [];
  const remove: string[] = [];
  for (const { verb, object } of part as readonly { verb: Change["verb"]; object: ProxyRoute }[]) {
    if (verb === "delete") remove.push(object.destination);
    else put.push(wayOf(object));
  }
  const answer = await client.change({ link, put, remove });
  if (answer !== undefined) did(answer.generation, link);
  // A route is gone with its proxy.
  if (put.length === 0) return;
  const why = answer === undefined ? "none runs" : answer.refused;
  if (why !== undefined) throw new FlanError(why, { op: "proxy.change", code: "failed" });
}

/** One sentence says it for all of them. */
function failAll(part: readonly Change[], error: unknown): readonly Failure[] {
  const { link } = part[0]!.object as ProxyRoute;
  const failure = asKernelError(`Cannot change the routes of the UDP proxy of ${link}`, error);
  return part.map((change) => ({ change, error: failure }));
}

function failEach(part: readonly Change[], error: unknown): readonly Failure[] {
  return part.map((change) => ({
    change,
    error: asKernelError(`Cannot ${change.verb} ${describe(change.object)}`, error),
  }));
}
