/** The packets of `fixtures/packets/` and `fixtures/packets6/`, as they are judged before anybody looks at who sent them. */
import assert from "node:assert/strict";
import { packetFixtures } from "./fixtures.ts";
import { check, type Fault, icmpError, join, split } from "./library.ts";
import { made } from "./make_fixtures.ts";
import { translatedAddress } from "./translate.ts";

const fixtures = { 4: packetFixtures(4), 6: packetFixtures(6) } as const;
const families = [4, 6] as const;

/** The faults that have a counter; packets for the wrong host, or from it, are well-formed. */
const faults: Readonly<Record<string, Fault>> = {
  in_packets: "ok",
  in_drop_source: "ok",
  in_drop_destination: "ok",
  in_drop_short: "short",
  in_drop_not_ipv4: "version",
  in_drop_not_ipv6: "version",
  in_drop_header_length: "header length",
  in_drop_length: "total length",
  in_drop_checksum: "checksum",
  in_drop_ttl: "ttl",
};

const all = families.flatMap((family) => fixtures[family].map((one) => ({ ...one, family })));
const sources = { 4: [10, 244, 1, 0], 6: translatedAddress([10, 244, 1, 0]) };

for (const { name, counter, what, bytes, family } of all) {
  Deno.test(`fixture ${name} of IPv${family}: ${what}: ${counter}`, () => {
    assert.equal(check(bytes, family), faults[counter]);
    if (check(bytes, family) !== "ok") return;
    // None of them is joined, split or told of in a way that loses a byte.
    assert.deepEqual(join([bytes]).map(({ packet }) => packet), [bytes]);
    const asItIs = { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 };
    assert.deepEqual(split(asItIs, bytes), [bytes]);
    const error = icmpError({ reason: "net unreachable", mtu: 0, source: sources[family] }, bytes);
    const [headers, most] = family === 4 ? [28, 576] : [48, 1280];
    if (error !== undefined) assert.deepEqual(error.subarray(headers), bytes.subarray(0, most - headers));
  });
}

Deno.test("fixtures: there is one for every reason that the library tells apart on the way in", () => {
  const header = Deno.readTextFileSync(new URL("../../ffi/proxy/counters.h", import.meta.url));
  const reasons = [...header.matchAll(/X\((in_drop_\w+)\)/g)].map(([, name]) => name!);
  // Which depends on the TUN, not on the packet.
  const wanted = reasons.filter((name) => name !== "in_drop_tun");
  assert.ok(wanted.length > 5);
  assert.deepEqual(
    [...new Set(all.map(({ counter }) => counter))].sort(),
    ["in_packets", ...wanted].sort(),
  );
});

Deno.test("fixtures: the files are what test/packets/make_fixtures.ts writes", () => {
  assert.deepEqual(fixtures, made);
});
