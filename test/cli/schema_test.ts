/** `flan schema` as a user runs it. */
import assert from "node:assert/strict";
import { documents } from "../../cmd/schemas/documents.ts";
import { compile } from "../lib/schemas.ts";
import { Sandbox } from "./sandbox.ts";

Deno.test("flan schema lists every document, one on a line", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["schema"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const names = stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]);
  assert.deepEqual(names, ["NAME", ...Object.keys(documents)]);
});

Deno.test("flan schema NAME prints a schema that a validator takes, also where a setting is wrong", async () => {
  using sandbox = new Sandbox();
  const { code, stdout, stderr } = await sandbox.flan(["schema", "routes"], { env: { FLAN_TYPO: "1" } });
  assert.deepEqual([code, stderr], [0, ""]);
  const check = compile(JSON.parse(stdout));
  assert.ok(
    check(
      JSON.parse(Deno.readTextFileSync(new URL("../../fixtures/json/v1/status-none.json", import.meta.url))),
    ) ===
      false,
    "a status is no list of routes",
  );
});

Deno.test("flan schema takes the name as documents have it", async () => {
  using sandbox = new Sandbox();
  const [long, short] = await Promise.all(
    ["flan.routes/v1", "routes"].map((name) => sandbox.flan(["schema", name])),
  );
  assert.deepEqual(long, short);
});

for (
  const [name, hint] of [["flan.route/v1", "did you mean routes?"], ["route", "did you mean routes?"], [
    "toString",
    "flan schema lists them",
  ]] as const
) {
  Deno.test(`flan schema ${name} is refused, with a hint`, async () => {
    using sandbox = new Sandbox();
    const { code, stdout, stderr } = await sandbox.flan(["schema", name]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.equal(stderr, `flan: Cannot show schema "${name}": no document has that name\nhint: ${hint}\n`);
  });
}
