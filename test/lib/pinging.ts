/** `flan ping` on a host, and what is done to the underlay between hosts. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { Measured } from "../../cmd/ping_matrix.ts";
import type { Hosts, Member } from "./hosts.ts";
import { requireValid } from "./schemas.ts";
import { until } from "./until.ts";

export type Pair = Measured["items"][number];

/**
 * What `flan ping` says on a host, with its exit code. A busy machine is late with single answers, which is lossy to
 * `flan ping`: it is asked again as long as it says so, since nothing that tests cut drops only some packets of a size.
 */
export async function ping(hosts: Hosts, { host }: Pick<Member, "host">, ...args: readonly string[]) {
  let said: { code: number } & Measured;
  await until(() => `a ping without late answers: ${states(said.items).join()}`, async () => {
    said = await pingOnce(hosts, host, args);
    return said.items.every(({ state }) => state !== "lossy");
  });
  return said!;
}

async function pingOnce(hosts: Hosts, host: LabHost, args: readonly string[]) {
  const { code, stdout, stderr } = await hosts.lab.flan(host, ["ping", ...args, "-o", "json"]);
  assert.notEqual(stdout, "", stderr);
  const document = JSON.parse(stdout);
  requireValid(document);
  return { code, ...document as Measured };
}

export const states = (items: readonly Pair[]) => items.map(({ state, how }) => `${state} ${how}`);

export function pairOf(items: readonly Pair[], from: Member, to: { readonly subnet: string }): Pair {
  const found = items.find((one) => one.from === from.subnet && one.to === to.subnet);
  assert.ok(found !== undefined, `${from.subnet} to ${to.subnet}`);
  return found;
}

export const nft = async (hosts: Hosts, { host }: Pick<Member, "host">, rules: string) => {
  const { code, stderr } = await hosts.lab.on(host, ["nft", rules]);
  assert.equal(code, 0, stderr);
};

/** Drops what comes in over the underlay and fits the expression. */
export const drop = (what: string) =>
  `add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in ${what} drop`;
export const mend = "delete table inet cut";
