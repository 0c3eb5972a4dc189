/** What a network cannot become where flannel hosts are in it. */
import assert from "node:assert/strict";
import { encodeLease } from "../../lease/decode.ts";
import { requireFlansAlone } from "../../lease/flannel_hosts.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import { config } from "../lib/overlay.ts";

const value = encodeLease({ publicIp: "192.0.2.9", backendType: "vxlan", backendData: { VNI: 1 } });
const flannels: LeaseRecord = { key: "10.5.9.0-24", value, node: undefined, expires: 1e12, revision: 3 };
const change = (to: string, options = {}) => ({ before: config(), after: config(options, to) });

Deno.test("a network with a flannel host moves to no other backend, and the host is named", () => {
  assert.throws(() => requireFlansAlone(change("udp"), { records: [flannels] }), {
    code: "failed",
    message: "Cannot move the network from vxlan to udp: a flannel host holds 10.5.9.0/24 with 192.0.2.9, " +
      "and flanneld follows no change of the backend",
  });
});

Deno.test("flan's own hosts, reservations and other options of the same backend move", () => {
  const flans = { ...flannels, node: "11111111111111aa" };
  const reserved = { ...flannels, expires: undefined };
  requireFlansAlone(change("udp"), { records: [flans, reserved] });
  requireFlansAlone(change("vxlan", { Port: 4789 }), { records: [flannels] });
});
