/** Who is on the underlay's own link. */
import assert from "node:assert/strict";
import { linkTest } from "../../backends/direct.ts";

const cases: readonly [address: string, onLink: readonly string[], offLink: readonly string[], boolean][] = [
  ["192.0.2.9", ["192.0.2.0/24"], [], true],
  ["192.0.3.9", ["192.0.2.0/24"], [], false],
  ["192.0.2.9", [], [], false],
  ["198.51.100.7", ["192.0.2.0/24", "198.51.100.7/32"], [], true],
  ["192.0.2.200", ["192.0.2.0/24"], ["192.0.2.128/25"], false],
  ["192.0.2.100", ["192.0.2.0/24"], ["192.0.2.128/25"], true],
  ["192.0.2.200", ["192.0.2.0/24", "192.0.2.192/26"], ["192.0.2.128/25"], true],
  ["192.0.2.9", ["192.0.2.0/24"], ["192.0.2.0/24"], false],
];

for (const [address, onLink, offLink, expected] of cases) {
  const where = `${onLink.join(", ") || "nothing"}${offLink.length === 0 ? "" : ` without ${offLink}`}`;
  Deno.test(`direct: ${address} is ${expected ? "" : "not "}on a link with ${where}`, () => {
    assert.equal(linkTest({ onLink, offLink })(address), expected);
  });
}
