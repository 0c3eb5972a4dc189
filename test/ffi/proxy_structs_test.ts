import assert from "node:assert/strict";
import { encodeOptions, encodeQueues, encodeRoutes, encodeSettings } from "../../ffi/proxy_structs.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("proxy structs: routes and settings have addresses in network order and numbers in the host's", () => {
  const routes = encodeRoutes([["10.5.2.0/24", "192.0.2.7", 8285], ["0.0.0.0/0", "198.51.100.1", 1]]);
  assert.equal(
    hex(routes),
    "0a050200" + "c0000207" + "5d20" + "18" + "00" + "00000000" + "c6336401" + "0100" + "0000",
  );
  assert.equal(encodeRoutes([]).length, 0);
  const settings = encodeSettings({ source: "10.5.1.0", subnet: "10.5.1.0/24", checkSource: true });
  assert.equal(hex(settings), "0a050100" + "0a050100" + "18000000" + "01000000");
  const open = encodeSettings({ source: "10.5.1.0", subnet: "10.5.0.0/16", checkSource: false });
  assert.equal(hex(open), "0a050100" + "0a050000" + "10000000" + "00000000");
});

Deno.test("proxy structs: queues are pairs of descriptors, and no raw socket is -1", () => {
  assert.deepEqual([...encodeQueues([{ tun: 3, socket: 4 }, { tun: 5, socket: 6 }])], [3, 4, 5, 6]);
  assert.deepEqual([...encodeOptions(-1, 63)], [-1, 63]);
});

Deno.test("proxy structs: what is no IPv4 address or prefix cannot be encoded", () => {
  for (const bad of ["10.5.2.0", "10.5.2.0/33", "x/24"]) {
    assert.throws(() => encodeRoutes([[bad, "192.0.2.7", 1]]), bad);
  }
});
