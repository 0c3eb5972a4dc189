import assert from "node:assert/strict";
import fc from "fast-check";
import {
  Damage,
  type Document,
  formatDocument,
  MAX_LEASES,
  parseDocument,
  whyUnreadable,
} from "../../../lease/document/document.ts";
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

const around = (leases: string, past = "{}") =>
  `{"schema":"flan.network/v1","revision":3,"leases":${leases},"past":${past}}`;

/** An object of `count` members. */
function many(count: number, value: string): string {
  return `{${Array.from({ length: count }, (_, i) => `"${i.toString(36)}":${value}`).join(",")}}`;
}

const grown: Readonly<Record<string, string>> = {
  "too many leases": around(many(MAX_LEASES + 1, "{}")),
  "a value of very many small ones": around(`{"10.5.1.0-24":[${"[],".repeat(MAX_LEASES)}[]]}`),
  "many values that are many together": around(many(50, `[${"[],".repeat(190_000)}[]]`)),
  "a value that is nested very deep": around(`{"10.5.1.0-24":${"[".repeat(400_000)}${"]".repeat(400_000)}}`),
};

for (const [what, text] of Object.entries(grown)) {
  Deno.test(`a document with ${what} is damaged, and not built in memory to find that out`, () => {
    const { parse } = JSON;
    JSON.parse = () => assert.fail("it was parsed");
    try {
      assert.throws(() => parseDocument(text), (error) => {
        assert.ok(error instanceof Damage, String(error));
        assert.match(error.message, /more than 200000 leases/);
        return true;
      });
    } finally {
      JSON.parse = parse;
    }
  });
}

Deno.test("leases and past ones together are bounded, too", () => {
  const text = around(many(MAX_LEASES, "{}"), many(1, '{"ended":1}'));
  assert.throws(() => parseDocument(text), /more than 200000 leases/);
});

Deno.test("as many leases as there may be are read, and written so that they can be read again", () => {
  const document = parseDocument(around(many(MAX_LEASES, "{}")));
  assert.equal(document.leases.size, MAX_LEASES);
  assert.equal(whyUnreadable(document, formatDocument(document)), undefined);
  const one = { ...document.leases.get("0")!, key: "more" };
  const more = { ...document, leases: new Map(document.leases).set("more", one) };
  assert.match(whyUnreadable(more, formatDocument(more))!, /more than 200000 leases/);
});
