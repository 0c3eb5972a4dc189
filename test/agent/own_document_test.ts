import assert from "node:assert/strict";
import { readOwnDocument } from "../../agent/own_document.ts";
import { FlanError } from "../../net/errors.ts";
import { v } from "../../net/schema.ts";

const schema = v.object({ size: v.number() });

function read(content: string | Uint8Array | undefined): { size: number } | undefined {
  const dir = Deno.makeTempDirSync();
  const file = `${dir}/own.json`;
  try {
    if (content !== undefined) {
      Deno.writeFileSync(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
    }
    return readOwnDocument(file, { schema, hint: "mend it" });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("a document of ours is read as its schema says", () => {
  assert.deepEqual(read('{"size": 7}'), { size: 7 });
});

Deno.test("a document that is not there is undefined", () => {
  assert.equal(read(undefined), undefined);
});

for (
  const [name, content] of [
    ["torn", '{"size": '],
    ["empty", ""],
    ["of another shape", '{"size": "seven"}'],
    ["too large", " ".repeat(70_000)],
  ] as const
) {
  Deno.test(`a document that is ${name} is invalid, named, and says what to do`, () => {
    assert.throws(() => read(content), (error) => {
      assert.ok(error instanceof FlanError);
      assert.equal(error.code, "invalid");
      assert.match(error.message, /own\.json/);
      assert.equal(error.hint, "mend it");
      return true;
    });
  });
}

Deno.test("a document that may not be read is no reason to remove it", () => {
  const stat = Deno.statSync;
  Deno.statSync = () => {
    throw new Deno.errors.PermissionDenied("not yours");
  };
  try {
    assert.throws(() => read('{"size": 7}'), (error) => {
      assert.ok(error instanceof FlanError);
      assert.deepEqual([error.code, error.hint], ["not-permitted", "run as root"]);
      return true;
    });
  } finally {
    Deno.statSync = stat;
  }
});
