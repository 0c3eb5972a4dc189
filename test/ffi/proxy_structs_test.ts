import assert from "node:assert/strict";
import { encodeOptions, encodeQueues, encodeRoutes, encodeSettings } from "../../ffi/proxy_structs.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("proxy structs: routes and settings have addresses in network order and numbers in the host's", () => {
  const none = "00".repeat(12);
  const routes = encodeRoutes([["10.5.2.0/24", "192.0.2.7", 8285], ["0.0.0.0/0", "198.51.100.1", 1]]);
  assert.equal(
    hex(routes),
    `0a050200${none}c0000207${none}5d201800` + `00000000${none}c6336401${none}01000000`,
  );
  assert.equal(encodeRoutes([]).length, 0);
  const settings = encodeSettings({ source: "10.5.1.0", subnet: "10.5.1.0/24", checkSource: true });
  assert.equal(hex(settings), `0a050100${none}0a050100${none}1800000001000000`);
  const open = encodeSettings({ source: "10.5.1.0", subnet: "10.5.0.0/16", checkSource: false });
  assert.equal(hex(open), `0a050100${none}0a050000${none}1000000000000000`);
});

Deno.test("proxy structs: addresses of IPv6 fill their place", () => {
  const routes = encodeRoutes([["fd00:5:2::/64", "2001:db8::7", 8285]]);
  const [subnet, remote] = ["fd000005000200000000000000000000", "20010db8000000000000000000000007"];
  assert.equal(hex(routes), `${subnet}${remote}5d204000`);
  const settings = encodeSettings({ source: "fd00:5:2::", subnet: "fd00:5:2::/64", checkSource: true });
  assert.equal(hex(settings), `${subnet}${subnet}4000000001000000`);
});

Deno.test("proxy structs: queues are pairs of descriptors, and no raw socket is -1", () => {
  assert.deepEqual([...encodeQueues([{ tun: 3, socket: 4 }, { tun: 5, socket: 6 }])], [3, 4, 5, 6]);
  assert.deepEqual([...encodeOptions({ raw: -1, features: 63, family: 6 })], [-1, 63, 6]);
});

Deno.test("proxy structs: what is no address or prefix cannot be encoded", () => {
  for (const bad of ["10.5.2.0", "10.5.2.0/33", "x/24"]) {
    assert.throws(() => encodeRoutes([[bad, "192.0.2.7", 1]]), bad);
  }
});
