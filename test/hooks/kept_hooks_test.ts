/** `hooks.json`: what is written is what its schema says, and is read as it was written. */
import assert from "node:assert/strict";
import { readHooks, writeHooks } from "../../hooks/kept_hooks.ts";
import { type Hook, keyOf } from "../../kernel/state.ts";
import { assertGoldenJson } from "../cli/golden.ts";
import { requireValid } from "../lib/schemas.ts";

const hook = (n: number, network = ""): Hook => ({
  kind: "hook",
  subnet: `10.5.${n}.0/24`,
  publicIp: `192.0.2.${n}`,
  network,
  data: `{"key":"k${n}"}`,
  add: 'tunnel add "$SUBNET" "$PUBLIC_IP"',
  remove: 'tunnel remove "$SUBNET"',
});

Deno.test("kept hooks: the document does not change, is valid, and is read as it was written", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-kept-hooks-" });
  try {
    const file = `${dir}/hooks.json`;
    const kept = new Map([hook(1, "10.5.0.0/16"), hook(2)].map((one) => [keyOf(one), one]));
    await writeHooks(file, kept);
    const text = Deno.readTextFileSync(file);
    requireValid(JSON.parse(text));
    assertGoldenJson("hooks", text);
    assert.deepEqual(readHooks(file), kept);
    await writeHooks(file, new Map());
    assert.deepEqual([readHooks(file).size, [...Deno.readDirSync(dir)]], [0, []]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("kept hooks: the second half of a dual-stack lease is kept with it", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-kept-hooks-" });
  try {
    const file = `${dir}/hooks.json`;
    const second = { subnet6: "fd00:5:0:1::/64", publicIp6: "2001:db8::1", network6: "fd00:5::/48" };
    const kept = new Map([{ ...hook(1, "10.5.0.0/16"), ...second }].map((one) => [keyOf(one), one]));
    await writeHooks(file, kept);
    requireValid(JSON.parse(Deno.readTextFileSync(file)));
    assert.deepEqual(readHooks(file), kept);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
