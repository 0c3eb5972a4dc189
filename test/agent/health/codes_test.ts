/** The table of health codes, and what follows from what. */
import assert from "node:assert/strict";
import { Health } from "../../../agent/health/health.ts";
import { causeOf, factsOf, type HealthCode, healthCodes } from "../../../agent/health/codes.ts";
import { silent } from "../../../net/log.ts";

const codes = Object.keys(healthCodes) as HealthCode[];

Deno.test("health codes: each is a stable word with its facts, and follows only from codes that exist", () => {
  for (const code of codes) {
    const { means, needs, within, remedy } = factsOf(code);
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    for (const text of [means, within, remedy]) assert.match(text, /^\S.*[^\s.]$/, code);
    for (const need of needs) assert.ok(codes.includes(need as HealthCode), `${code} needs ${need}`);
  }
});

Deno.test("health codes: none follows from itself, over however many others, so each has a first cause", () => {
  const visit = (code: string, path: readonly string[]): void => {
    assert.ok(!path.includes(code), [...path, code].join(" → "));
    for (const need of factsOf(code as HealthCode).needs) visit(need, [...path, code]);
  };
  for (const code of codes) visit(code, []);
});

Deno.test("health: a problem names the one that it follows from while that is there, and the likeliest of several", () => {
  assert.equal(causeOf("lease-expired", new Set(["option-ignored", "lease-expired"])), undefined);
  assert.equal(
    causeOf("lease-expired", new Set(["lease-not-renewed", "store-unreachable"])),
    "store-unreachable",
  );
  const health = new Health(silent);
  const found = (code: HealthCode) => ({ code, subject: "it", message: "It is not well" });
  health.raise(found("lease-expired"), 1);
  health.raise(found("store-unreachable"), 2);
  const causes = () => health.list().map(({ code, because, since }) => [code, because, since]);
  assert.deepEqual(causes(), [
    ["lease-expired", "store-unreachable", 1],
    ["store-unreachable", undefined, 2],
  ]);
  health.raise(found("underlay-missing"), 3);
  assert.deepEqual(causes(), [
    ["lease-expired", "store-unreachable", 1],
    ["underlay-missing", undefined, 3],
    ["store-unreachable", "underlay-missing", 2],
  ]);
  health.set(["store-unreachable", "underlay-missing"], [], 4);
  assert.deepEqual(causes(), [["lease-expired", undefined, 1]]);
});
