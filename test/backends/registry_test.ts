/** Backends are found by name, and a wrong name says what to write instead. */
import assert from "node:assert/strict";
import { backendFor } from "../../backends/registry.ts";
import { backendTypes } from "../../backends/types.ts";

Deno.test("registry: every backend is found under its own name, in any case", () => {
  assert.deepEqual(backendTypes, [
    "vxlan",
    "wireguard",
    "udp",
    "host-gw",
    "ipip",
    "ipsec",
    "alloc",
    "extension",
  ]);
  for (const type of backendTypes) {
    assert.equal(backendFor(type).type, type);
    assert.equal(backendFor(type.toUpperCase()).type, type);
  }
});

Deno.test("registry: a misspelt name is invalid and comes with a suggestion", () => {
  assert.throws(() => backendFor("vxlam"), {
    code: "invalid",
    message:
      'Cannot use backend "vxlam": it is not known; this version has vxlan, wireguard, udp, host-gw, ipip, ipsec, alloc, extension',
    hint: "did you mean vxlan?",
  });
  assert.throws(() => backendFor("zebra"), { code: "invalid", hint: undefined });
});

const has = backendTypes.join(", ");

Deno.test("registry: flannel's other backends are not in this version, plainly", () => {
  for (const type of ["gce", "aws-vpc"]) {
    assert.throws(() => backendFor(type), {
      code: "invalid",
      message: `Cannot use backend "${type}": it is not in this version; this version has ${has}`,
    });
  }
});

Deno.test("registry: a hostile name cannot reach a terminal", () => {
  assert.throws(() => backendFor("\u001b[2J".repeat(1000)), (error: Error) => {
    // deno-lint-ignore no-control-regex
    return !/\u001b/.test(error.message) && error.message.length < 300;
  });
});
