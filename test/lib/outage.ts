/** One outage of the store under running agents, from its first word in the logs to its last. */
import assert from "node:assert/strict";
import { codesIn, isWell } from "./etcd_hosts.ts";
import type { Endurance } from "./endurance.ts";
import type { Member } from "./hosts.ts";

export interface Outage {
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
  /** How long it goes on at least, milliseconds; it ends after every agent has told it. */
  readonly lasts: number;
}

/** Every agent tells of the outage and of its end, holds its subnet, and nothing else is to be noticed. */
export async function outlives(
  members: readonly Member[],
  { begin, end, lasts }: Outage,
  endurance: Endurance,
): Promise<void> {
  await endurance.unnoticed(async () => {
    const marks = members.map(({ agent }) => agent.err.lines.length);
    const all = (pattern: RegExp) =>
      Promise.all(
        members.map(({ agent }, i) => agent.err.line(pattern, marks[i])),
      );
    await endurance.idle(async () => {
      await begin();
      await Promise.all([all(/ warning .* code=store-unreachable /), endurance.traffic.lasts(lasts)]);
      for (const codes of await Promise.all(members.map(codesIn))) {
        // What a store still says while it hears nothing is believed, and an outage may outlast the leases.
        const others = codes.filter((code) => !["peer-expired", "lease-expired"].includes(code));
        assert.deepEqual(others, ["store-unreachable"]);
      }
    });
    await end();
    await all(/ info Well again: .* code=store-unreachable /);
    await Promise.all(members.map(isWell));
  });
}
