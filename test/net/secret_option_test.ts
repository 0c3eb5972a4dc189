/** Which values are secrets, and what stands in their place. */
import assert from "node:assert/strict";
import { holdsSecret, withoutSecrets } from "../../net/secret_option.ts";

Deno.test("secret option: it is found however deep it is and however it is written, and hidden in a copy", () => {
  const config = { Backend: { Type: "wireguard", psk: "x", PSK: 7, VNI: 1 }, Planes: [{ Psk: { a: "x" } }] };
  assert.ok(holdsSecret(config) && holdsSecret(config.Planes));
  assert.deepEqual(withoutSecrets(config), {
    Backend: { Type: "wireguard", psk: "(secret)", PSK: "(secret)", VNI: 1 },
    Planes: [{ Psk: "(secret)" }],
  });
  assert.equal(config.Backend.psk, "x");
});

Deno.test("secret option: what is empty, or has another name, is none", () => {
  for (const value of ["x", null, 7, [], {}, { PSK: "" }, { Backend: { psk: null, PSKs: "x", key: "x" } }]) {
    assert.ok(!holdsSecret(value));
    assert.deepEqual(withoutSecrets(value), value);
  }
});
