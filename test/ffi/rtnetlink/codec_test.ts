import assert from "node:assert/strict";
import fc from "fast-check";
import { libc } from "../../../ffi/libc.ts";
import { libnl } from "../../../ffi/libnl.ts";
import { MessageParser } from "../../../ffi/message_parser.ts";
import type { KernelObject } from "../../../kernel/state.ts";
import {
  fdb,
  neighbour,
  nexthop,
  onDevice,
  plainRoute,
  unreachable,
} from "../../conformance/kernel_objects.ts";
import { decoded, decodedAll, encoded } from "../messages.ts";

libc();
libnl();

const link: KernelObject = {
  kind: "link",
  name: "flan.7",
  type: "vxlan",
  alias: "",
  mac: "02:00:00:00:00:07",
  mtu: 1450,
  up: false,
  vxlan: { vni: 16777215, port: 4789, local: "192.0.2.1", parent: "under0", learning: false, gbp: true },
};

const tunnel: KernelObject = {
  kind: "link",
  name: "flan.ipip",
  type: "ipip",
  alias: "",
  mac: "",
  mtu: 1480,
  up: false,
  ipip: { local: "192.0.2.1", remote: "" },
};

const objects: readonly KernelObject[] = [
  link,
  { ...link, vxlan: { ...link.vxlan!, local: "fd00::1", parent: "", learning: true, gbp: false } },
  tunnel,
  { ...tunnel, ipip: { local: "", remote: "192.0.2.9" } },
  ...onDevice.filter((object) => object.kind !== "route"),
  plainRoute,
  unreachable,
  { ...plainRoute, destination: "0.0.0.0/0", metric: 4294967295 },
  { ...plainRoute, destination: "fd00:5::/64", gateway: "fd00::9" },
  { ...plainRoute, gateway: "fd00::9" },
  { ...plainRoute, gateway: "", onlink: false },
  { ...neighbour, ip: "fd00::9", mac: "", state: "reachable" },
  { ...nexthop, id: 4294967295, gateway: "fd00::9", onlink: false },
  { ...fdb, remote: "fd00::2" },
  { kind: "address", link: "flan.7", address: "fd00:5::1/64" },
];

Deno.test("rtnetlink: what is encoded is decoded again, for every kind and both families", () => {
  for (const object of objects) assert.deepEqual(decoded(object.kind, encoded(object)), object);
});

Deno.test("rtnetlink: a route on a nexthop object carries its id instead of gateway and link", () => {
  const route = { ...plainRoute, nexthop: 4294967295 };
  assert.deepEqual(decoded("route", encoded(route)), { ...route, gateway: "", link: "", onlink: false });
});

Deno.test("rtnetlink: a deletion of an FDB entry names no remote, one of a route its protocol", () => {
  assert.equal(decoded("fdb", encoded(fdb, "delete")), undefined);
  const gone = decoded("route", encoded({ ...plainRoute, metric: 9 }, "delete"));
  assert.deepEqual(gone, { ...plainRoute, metric: 9, gateway: "", link: "", onlink: false });
});

Deno.test("rtnetlink: what cannot be encoded is refused with its value", () => {
  const bad: [KernelObject, RegExp][] = [
    [{ ...plainRoute, gateway: "10.5.3" }, /10\.5\.3/],
    [{ ...plainRoute, type: "nowhere" }, /nowhere/],
    [{ ...neighbour, mac: "02:00" }, /02:00/],
    [{ ...fdb, remote: "010.0.0.1" }, /leading zero/],
    [{ ...link, name: "a\0b" } as KernelObject, /zero byte/],
    [{ ...link, name: "x".repeat(5000) } as KernelObject, /Out of memory|too/i],
  ];
  for (const [object, why] of bad) assert.throws(() => encoded(object), why);
});

Deno.test("parser: a message that is cut off anywhere gives nothing and crashes nothing", () => {
  const parser = new MessageParser(64 * 1024);
  for (const object of objects) {
    const bytes = encoded(object);
    for (let length = 0; length < bytes.length; length++) {
      // Once as received, and once claiming to be whole.
      assert.deepEqual(decodedAll(parser, bytes.subarray(0, length)), []);
      const claims = bytes.slice(0, length);
      if (length >= 16) new DataView(claims.buffer).setUint32(0, length, true);
      decodedAll(parser, claims);
    }
  }
});

Deno.test("parser: mutated messages give objects or nothing, never a crash or another exception", () => {
  const parser = new MessageParser(64 * 1024);
  const edits = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.constantFrom(...objects), edits, (object, changes) => {
      const bytes = encoded(object);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      decodedAll(parser, bytes);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parser: any bytes at all give objects or nothing", () => {
  const parser = new MessageParser(64 * 1024);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      if (bytes.length >= 16) new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length, true);
      decodedAll(parser, bytes);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parser: several messages in one datagram are found, and one that is too long ends the list", () => {
  const parser = new MessageParser(64 * 1024);
  const whole = [plainRoute, neighbour, fdb].map((object) => encoded(object));
  const bytes = new Uint8Array(whole.flatMap((part) => [...part]));
  // A route's bytes also make sense as a nexthop; the message's type would tell them apart.
  const read = () => decodedAll(parser, bytes).filter((object) => object && object.kind !== "nexthop");
  const found = read();
  assert.deepEqual(found, [plainRoute, neighbour, fdb]);
  new DataView(bytes.buffer).setUint32(whole[0]!.length, 0xffffffff, true);
  assert.deepEqual(read(), [plainRoute]);
});
