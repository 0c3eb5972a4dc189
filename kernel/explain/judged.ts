/**
 * How each hop stands by itself. The comparison with the plan calls also missing what flan would have to make anew along
 * with a wrong link; who asks what breaks the way wants to know what is there. Pure.
 */
import { type ObjectState, satisfies } from "../drift.ts";
import { dependsOn, linkOf, nexthopOf, proxyOf } from "../relations.ts";
import { type KernelObject, keyOf } from "../state.ts";
import type { WayFacts } from "./way.ts";

export interface Judged {
  readonly state: ReadonlyMap<string, ObjectState>;
  /** What cannot be judged, with the key of what it only goes with. */
  readonly causes: ReadonlyMap<string, string>;
}

/** Every object of `facts.wanted`. */
export function judge(facts: WayFacts): Judged {
  const { wanted } = facts;
  const compared = new Map(wanted.map((one) => [keyOf(one), facts.state.get(keyOf(one)) ?? "missing"]));
  const wrong = new Set([...compared].filter(([, state]) => state === "wrong").map(([key]) => key));
  const state = new Map(wanted.map((object) => {
    const key = keyOf(object);
    const was = compared.get(key)!;
    const carriers = [`link ${linkOf(object)}`, proxyOf(object)];
    const isAlong = was === "missing" && carriers.some((carrier) => carrier !== key && wrong.has(carrier));
    return [key, isAlong ? standing(object, facts) : was];
  }));
  const causes = new Map<string, string>();
  for (const object of wanted) {
    const cause = causeOf(object, { state, facts });
    if (cause !== undefined) causes.set(keyOf(object), cause);
  }
  return { state, causes };
}

/** How it stands now, whatever becomes of it. */
function standing(object: KernelObject, { actual }: WayFacts): ObjectState {
  const key = keyOf(object);
  const found = actual.filter((other) => keyOf(other) === key);
  if (found.length === 0) return "missing";
  return found.some((other) => satisfies(object, other)) ? "ok" : "wrong";
}

/** Key of a broken hop without which this one cannot be as it should. */
function causeOf(
  object: KernelObject,
  { state, facts }: { state: ReadonlyMap<string, ObjectState>; facts: WayFacts },
): string | undefined {
  const own = state.get(keyOf(object));
  if (own === "ok") return undefined;
  const others = facts.wanted.map(keyOf).filter((key) => key !== keyOf(object));
  return others.find((key) => {
    if (!dependsOn(object, new Set([key]))) return false;
    if (state.get(key) !== "wrong") return state.get(key) !== "ok";
    // A route shows the way of its nexthop as its own, and the kernel takes away what needs a link that is up.
    return own === "wrong" ? key === nexthopOf(object) : own === "missing" && isDown(key, facts);
  });
}

function isDown(key: string, { actual }: WayFacts): boolean {
  return actual.some((one) => one.kind === "link" && !one.up && keyOf(one) === key);
}
