import assert from "node:assert/strict";
import fc from "fast-check";
import { Damage, type Document, formatDocument, parseDocument } from "../../../lease/document/document.ts";
import type { Json } from "../../../net/json.ts";

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../../../fixtures/leases/${name}.json`, import.meta.url));
}

Deno.test("a document is written exactly as it was read", () => {
  const text = fixture("good");
  assert.equal(formatDocument(parseDocument(text)), text);
});

Deno.test("what a document says is what is read", () => {
  const { revision, config, leases, past } = parseDocument(fixture("good"));
  assert.equal(revision, 12);
  assert.deepEqual(config, { revision: 1, value: { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } } });
  assert.deepEqual(leases.get("10.5.2.0-24"), {
    key: "10.5.2.0-24",
    value: { PublicIP: "192.168.64.4", PublicIPv6: null },
    node: undefined,
    expires: undefined,
    revision: 12,
  });
  assert.equal(leases.get("10.5.1.0-24")?.expires, 1767312000_000);
  assert.deepEqual([...past.values()], [{ key: "10.5.9.0-24", how: "released", ended: 1767225600_000 }]);
});

Deno.test("odd entries hide no other lease, hold their subnet, and keep their values", () => {
  const { config, leases, past } = parseDocument(fixture("odd-entries"));
  assert.equal(config, undefined);
  const of = (key: string) => leases.get(key)!;
  assert.equal(of("10.5.1.0-24").node, "a");
  assert.deepEqual(of("10.5.2.0-24").value, { PublicIP: "192.168.0.2" });
  assert.equal(of("10.5.3.0-24").value, 7);
  const { expires, revision, node } = of("10.5.4.0-24");
  assert.deepEqual([expires, revision, node], [undefined, 5, undefined]);
  assert.equal(of("__proto__").revision, 5);
  assert.deepEqual([...past.values()], [{ key: "10.5.9.0-24", how: "expired", ended: 1767225600_000 }]);
  const again = formatDocument(parseDocument(fixture("odd-entries")));
  assert.ok(again.includes('"__proto__":{"revision":5,"value":{"__proto__":{"a":1}}}'), again);
  assert.equal(formatDocument(parseDocument(again)), again);
});

Deno.test("every lease stands on a line of its own, in order", () => {
  const lines = fixture("good").split("\n").filter((line) => line.startsWith('"10.5.'));
  assert.equal(lines.length, 3);
  const document = parseDocument(fixture("good"));
  const leases = new Map([...document.leases].reverse());
  assert.equal(formatDocument({ ...document, leases }), fixture("good"));
});

Deno.test("a document cut anywhere is damaged, never half read", () => {
  const text = fixture("good").trimEnd();
  for (let end = 0; end < text.length; end++) {
    assert.throws(() => parseDocument(text.slice(0, end)), Damage, `cut at ${end}`);
  }
});

Deno.test("any document is read back as it was written", () => {
  const seconds = fc.integer({ min: 0, max: 4e9 }).map((s) => s * 1000);
  const json = fc.jsonValue() as fc.Arbitrary<Json>;
  const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "10.5.1.0-24", "constructor"));
  const lease = fc.record({
    key,
    value: json,
    node: fc.option(fc.string(), { nil: undefined }),
    expires: fc.option(seconds, { nil: undefined }),
    revision: fc.integer({ min: 0, max: 1000 }),
  });
  const past = fc.record({
    key,
    how: fc.constantFrom("released" as const, "expired" as const),
    ended: seconds,
  });
  const config = fc.record({ value: json, revision: fc.integer({ min: 0, max: 1000 }) });
  fc.assert(fc.property(
    fc.array(lease),
    fc.array(past),
    fc.option(config, { nil: undefined }),
    (leases, pasts, config) => {
      const document: Document = {
        revision: 1000,
        config,
        leases: new Map(leases.map((one) => [one.key, one])),
        past: new Map(pasts.map((one) => [one.key, one])),
      };
      const text = formatDocument(document);
      const read = parseDocument(text);
      assert.equal(formatDocument(read), text);
      assert.equal(read.leases.size, document.leases.size);
      for (const [key, one] of document.leases) {
        const found = read.leases.get(key)!;
        assert.deepEqual({ ...found, value: 0 }, { ...one, value: 0 });
        assert.equal(JSON.stringify(found.value), JSON.stringify(one.value));
      }
    },
  ));
});
