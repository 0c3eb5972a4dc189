import assert from "node:assert/strict";
import fc from "fast-check";
import * as type from "../../cmd/setting_types.ts";

/** What a parser makes of a value, or what it says is needed. */
function outcome<T>(parse: type.Parser<T>, raw: unknown): T | string {
  try {
    return parse(raw);
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    return `! ${error.message}`;
  }
}

const table: [name: string, parse: type.Parser<unknown>, raw: unknown, expected: unknown][] = [
  ["text", type.text, "vxlan", "vxlan"],
  ["a number as text", type.text, 42, "42"],
  ["no text", type.text, "", "! text is needed"],
  ["a list as text", type.text, ["x"], "! text is needed"],
  ["endless text", type.text, "x".repeat(4097), "! text is needed"],
  ["store", type.store, "file:/a/b.json", "file:/a/b.json"],
  ["store of another kind", type.store, "etcd://h", "etcd://h"],
  ["relative store", type.store, "FILE:b.json", "! an absolute path is needed after file:"],
  ["path", type.path, "/run/flan//", "/run/flan"],
  ["root", type.path, "/", "/"],
  ["relative path", type.path, "run", "! an absolute path is needed"],
  ["path with a zero byte", type.path, "/a\0b", "! an absolute path is needed"],
  ["address", type.address(4), "192.0.2.1", "192.0.2.1"],
  ["IPv6 address", type.address(4), "fd00::1", "! an IPv4 address is needed"],
  ["address of IPv6", type.address(6), "FD00:0::1", "fd00::1"],
  ["IPv4 address", type.address(6), "192.0.2.1", "! an IPv6 address is needed"],
  ["IPv4 in IPv6", type.address(6), "::ffff:192.0.2.1", "! the address of one host is needed"],
  ["address of either family", type.hostAddress, "fd00::1", "fd00::1"],
  ["multicast address", type.address(4), "239.1.1.1", "! the address of one host is needed"],
  ["leading zero", type.address(4), "192.0.2.01", "! an octet has a leading zero"],
  ["any IPv4 address", type.anyAddress(4), "10.5.0.0", "10.5.0.0"],
  ["not just any address", type.anyAddress(4), "::", "! an IPv4 address is needed"],
  ["network", type.network, "10.5.0.0/16", "10.5.0.0/16"],
  ["network with host bits, as in flannel", type.network, "10.5.1.2/16", "10.5.0.0/16"],
  ["IPv6 network", type.network, "fd00:0::1/48", "fd00::/48"],
  ["network of the other family", type.networkOf(6), "10.5.0.0/16", "! an IPv6 network is needed"],
  ["network that is too long", type.network, "10.5.0.0/33", "! the length must be 0 to 32"],
  ["integer", type.integer(1, 9), "7", 7],
  ["integer of YAML", type.integer(1, 9), 7, 7],
  ["too small", type.integer(1, 9), "0", "! a whole number from 1 to 9 is needed"],
  ["too large", type.integer(1, 9), 10, "! a whole number from 1 to 9 is needed"],
  ["fraction", type.integer(1, 9), 1.5, "! a whole number from 1 to 9 is needed"],
  ["sign", type.integer(1, 9), "+7", "! a whole number from 1 to 9 is needed"],
  ["seconds", type.duration(10), "90", 90],
  ["seconds of YAML", type.duration(10), 90, 90],
  ["seconds with unit", type.duration(10), "90s", 90],
  ["minutes", type.duration(10), "15m", 900],
  ["hours", type.duration(10), "24h", 86_400],
  ["days", type.duration(10), "7d", 604_800],
  ["ten years", type.duration(10), "3650d", 315_360_000],
  ["one of", type.oneOf("text", "json"), "json", "json"],
  ["nearly one of", type.oneOf("text", "json"), "jsno", "! one of text, json is needed; did you mean json?"],
  ["none of", type.oneOf("text", "json"), ["json"], "! one of text, json is needed"],
  ["true", type.flag, "true", true],
  ["one", type.flag, "1", true],
  ["true of YAML", type.flag, true, true],
  ["zero", type.flag, "0", false],
  ["yes", type.flag, "yes", "! true or false is needed"],
  ["list with commas", type.list(type.text), "eth0, eth1", ["eth0", "eth1"]],
  ["list with an item that has a comma", type.list(type.text), "regex:eth{1\\,2},lo", [
    "regex:eth{1,2}",
    "lo",
  ]],
  ["list of flags", type.list(type.text), ["eth0", "eth1"], ["eth0", "eth1"]],
  ["hole in a list", type.list(type.text), "eth0,,eth1", "! text is needed"],
  ["too many", type.list(type.text), new Array(65).fill("x"), "! at most 64 values are accepted"],
  ["options", type.options, ["VNI=7", "GBP=true", "Mode=all"], { VNI: 7, GBP: true, Mode: "all" }],
  ["options of YAML", type.options, { VNI: 7, GBP: true }, { VNI: 7, GBP: true }],
  ["value with an equals sign", type.options, ["PSK=a=b"], { PSK: "a=b" }],
  ["option without a value", type.options, ["VNI"], "! KEY=VALUE is needed"],
  ["option without a key", type.options, ["=7"], "! KEY=VALUE is needed"],
  ["nested option", type.options, { VNI: [7] }, "! text, a number or true/false is needed for VNI"],
  ["prototype option", type.options, ["__proto__=1"], "! a key of letters is needed before the ="],
];

for (const [name, parse, raw, expected] of table) {
  Deno.test(`setting type: ${name}`, () => assert.deepEqual(outcome(parse, raw), expected));
}

Deno.test("a list that is written as one text is read as the same list", () => {
  const item = fc.string({ minLength: 1, maxLength: 40 }).filter((one) =>
    one === one.trim() && !one.endsWith("\\")
  );
  const bySetOf = fc.string({ unit: fc.constantFrom("a", ",", "\\"), minLength: 1 }).filter((one) =>
    !one.endsWith("\\")
  );
  fc.assert(fc.property(fc.array(fc.oneof(item, bySetOf), { minLength: 1, maxLength: 5 }), (items) => {
    assert.deepEqual(type.list(type.text)(type.joinList(items)), items);
  }));
});

Deno.test("a duration is refused below its least, above ten years, and in any other form", () => {
  for (
    const raw of [
      "9s",
      "0",
      "",
      "abc",
      "1.5h",
      "-5",
      -5,
      "3651d",
      "24H",
      "24 h",
      ["90"],
      null,
      "9".repeat(10),
    ]
  ) {
    assert.match(String(outcome(type.duration(10), raw)), /^! (a duration of at least 10s|text) is needed/);
  }
});

Deno.test("no parser is thrown off by any value: it gives a value or says what is needed", () => {
  fc.assert(fc.property(fc.anything(), (raw) => {
    const all = [
      type.text,
      type.store,
      type.path,
      type.address(4),
      type.address(6),
      type.anyAddress(6),
      type.network,
      type.flag,
      type.options,
    ];
    for (
      const parse of [...all, type.integer(1, 9), type.duration(10), type.oneOf("a"), type.list(type.text)]
    ) {
      const made = outcome(parse as type.Parser<unknown>, raw);
      assert.notEqual(made, "! ");
    }
  }));
});
