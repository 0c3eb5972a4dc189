/** Where servers listen. */
import assert from "node:assert/strict";
import { parsePlace, placeOf } from "../../net/place.ts";

Deno.test("place: an address and a port are read and written alike, IPv6 in brackets", () => {
  for (const text of ["127.0.0.1:4380", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:80"]) {
    assert.equal(placeOf(parsePlace(text, "")), text);
  }
  assert.deepEqual(parsePlace("[::1]:80", ""), { hostname: "::1", port: 80 });
});

Deno.test("place: whatever else comes is refused with what is needed", () => {
  for (
    const [text, why] of [
      ["4380", /such as 127\.0\.0\.1:1$/],
      [":80", /such as/],
      ["::1:80", /such as/],
      ["127.0.0.1:65536", /at most 65535/],
      ["127.0.0.1:999999", /such as/],
      ["localhost:80", /localhost/],
      ["[127.0.0.1]:80", /brackets/],
      ["127.1:80", /127\.1/],
      ["127.0.0.1:80 ", /such as/],
    ] as const
  ) {
    assert.throws(() => parsePlace(text, "127.0.0.1:1"), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, why, text);
      return true;
    });
  }
});
