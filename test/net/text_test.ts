import assert from "node:assert/strict";
import fc from "fast-check";
import { isPrintable, printable, quoted } from "../../net/text.ts";

Deno.test("what a terminal would obey is written out", () => {
  assert.equal(printable("a\u001b[2Jb\u0007\u009b\u202e\u200b"), "a\\u001b[2Jb\\u0007\\u009b\\u202e\\u200b");
  assert.equal(printable("Grüße, 世界"), "Grüße, 世界");
});

Deno.test("any text becomes printable and bounded", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.nat(50), (text, limit) => {
    const shown = printable(text, limit);
    assert.ok(isPrintable(shown));
    assert.ok(shown.length <= 6 * limit + 1);
    assert.equal(isPrintable(text), printable(text, text.length) === text);
  }));
});

Deno.test("a value in an error message is its JSON, printable and short", () => {
  assert.equal(quoted("a\nb"), '"a\\nb"');
  assert.equal(quoted(undefined), "undefined");
  assert.equal(quoted({ a: [1, null] }), '{"a":[1,null]}');
  assert.ok(quoted("x".repeat(1e6)).length < 100);
  fc.assert(fc.property(fc.anything(), (value) => assert.ok(isPrintable(quoted(value)))));
});

Deno.test("no more of a value is looked at than its message shows", () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  assert.match(quoted(loop), /^\{"self":\{"self":/);
  let looks = 0;
  const counting: ProxyHandler<unknown[]> = {
    get: (target, name) => (looks++, Reflect.get(target, name)),
  };
  const long = new Proxy(Array.from({ length: 1e6 }, () => ({})), counting);
  assert.ok(quoted(long).startsWith("[{},{},{},"));
  assert.ok(looks < 1000, `${looks} looks`);
  let deep: unknown[] = [];
  for (let i = 0; i < 1e6; i++) deep = [deep];
  assert.ok(quoted(deep).startsWith("[[[[[["));
});
