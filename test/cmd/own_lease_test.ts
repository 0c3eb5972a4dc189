/** The rows of the own lease in a table. */
import assert from "node:assert/strict";
import { rowsOf } from "../../cmd/own_lease.ts";

const lease = {
  subnet: "10.5.1.0/24",
  network: "10.5.0.0/16",
  publicIp: "192.0.2.1",
  device: "flan.1",
  mtu: 1430,
};
const second = {
  subnet6: "fd00:5:0:1::/64",
  network6: "fd00:5::/48",
  publicIp6: "2001:db8::1",
  device6: "flan-v6.1",
};

Deno.test("the own lease has a row for each address family, with its own addresses and device", () => {
  assert.deepEqual(rowsOf(lease), [lease]);
  const [first, other, ...rest] = rowsOf({ ...lease, ...second });
  const shown = (
    row: typeof first,
  ) => [row!["subnet"], row!["network"], row!["publicIp"], row!["device"], row!["mtu"]];
  assert.deepEqual(shown(first), ["10.5.1.0/24", "10.5.0.0/16", "192.0.2.1", "flan.1", 1430]);
  assert.deepEqual(shown(other), ["fd00:5:0:1::/64", "fd00:5::/48", "2001:db8::1", "flan-v6.1", 1430]);
  assert.deepEqual(rest, []);
});
