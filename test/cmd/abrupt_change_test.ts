/** Which changes of a living network's backend put its hosts out of touch, and what is said of them. */
import assert from "node:assert/strict";
import { requireGradual } from "../../cmd/abrupt_change.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";

const PSK = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
type Options = { readonly [key: string]: Json };

/** Why that is refused; undefined where it is not. */
function refused(
  Before: Options,
  After: Options,
  { count = 3, more = {}, before = more, after = more }: {
    count?: number;
    more?: Options;
    before?: Options;
    after?: Options;
  } = {},
): string | undefined {
  const network = (more: Options, Backend: Options) =>
    parseNetworkConfig({ Network: "10.5.0.0/16", ...more, Backend });
  try {
    requireGradual("backend to x", { before: network(before, Before), after: network(after, After), count });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof FlanError);
    return `${error.message} (${error.hint})`;
  }
}

Deno.test("an option that both ends must have alike is told by its name, with what is lost and for how long", () => {
  assert.equal(
    refused({ Type: "vxlan" }, { Type: "vxlan", Port: 4789 }),
    "Cannot set backend to x: the 3 hosts go over to the other Port one by one, and any two of them are out of touch " +
      "from when the first has done so until both have, which is some seconds, or as long as one of them cannot follow " +
      "(move to another backend, and when flan status shows no move any more, back again, which loses nothing: " +
      `flan config set backend '{"Type":"vxlan","Port":4789}'; or add --force)`,
  );
  assert.match(
    refused({ Type: "vxlan" }, { Type: "vxlan", Port: 1, GBP: true })!,
    /other Port and GBP one by one/,
  );
  assert.match(refused({ Type: "udp" }, { Type: "udp", Port: 9000 })!, /other Port one/);
  const psk = refused({ Type: "wireguard" }, { Type: "wireguard", PSK })!;
  assert.match(psk, /other PSK one by one/);
  assert.ok(!psk.includes(PSK));
  assert.match(psk, /\(add --force if that may be\)$/, "no way leads by a backend in clear");
  const ipsec = { Type: "ipsec", PSK: "a".repeat(96) };
  assert.match(refused(ipsec, { ...ipsec, PSK: "b".repeat(96) })!, /other PSK one by one/);
  assert.match(refused(ipsec, { ...ipsec, RekeySeconds: 3600 })!, /other RekeySeconds one by one/);
  assert.match(refused(ipsec, { ...ipsec, UDPEncap: true })!, /other UDPEncap one by one/);
});

Deno.test("an option in which hosts may differ, or another spelling of the same, is none", () => {
  const vxlan = { Type: "vxlan" };
  for (
    const after of [{ MTU: 1400 }, { Learning: true }, { port: 8472 }, { Port: 0 }, { DirectRouting: true }]
  ) {
    assert.equal(refused(vxlan, { ...vxlan, ...after }), undefined, JSON.stringify(after));
  }
  const ipsec = { Type: "ipsec", PSK: "a".repeat(96) };
  assert.equal(refused(ipsec, { ...ipsec, RekeySeconds: 86_400 }), undefined, "as it is by itself");
  assert.equal(refused(ipsec, { ...ipsec, UDPEncap: false }), undefined, "as it is by itself");
  assert.equal(refused({ Type: "udp" }, { Type: "udp", Queues: 2, CheckSource: false }), undefined);
  assert.equal(
    refused({ Type: "wireguard" }, { Type: "wireguard", ListenPort: 4000 }),
    undefined,
    "leases tell it",
  );
});

Deno.test("a Mode of wireguard that has other devices is one, and another underlay of the same device is none", () => {
  const more = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  const wireguard = (Mode: string) => ({ Type: "wireguard", Mode });
  assert.match(refused(wireguard("separate"), wireguard("ipv4"), { more })!, /one by one/);
  assert.equal(refused(wireguard("ipv6"), wireguard("auto"), { more }), undefined);
  const alone = { ...more, EnableIPv4: false };
  assert.match(refused(wireguard("separate"), wireguard("auto"), { more: alone })!, /one by one/);
});

Deno.test("a move to what can stand beside the former is none; to and from alloc and extension it is", () => {
  const ipsec = { Type: "ipsec", PSK: "a".repeat(96) };
  for (const one of [...["udp", "host-gw", "wireguard", "ipip"].map((Type) => ({ Type })), ipsec]) {
    assert.equal(refused({ Type: "vxlan" }, one), undefined, one.Type);
    assert.equal(refused(one, { Type: "vxlan", Port: 4789 }), undefined, one.Type);
  }
  assert.equal(
    refused({ Type: "vxlan" }, { Type: "vxlan", VNI: 7, Port: 4789 }),
    undefined,
    "another device",
  );
  for (const Type of ["alloc", "extension"]) {
    assert.match(
      refused({ Type: "vxlan" }, { Type })!,
      new RegExp(`both vxlan and ${Type} at once`),
    );
    assert.match(refused({ Type }, { Type: "udp" })!, new RegExp(`both ${Type} and udp`));
    assert.equal(refused({ Type }, { Type }), undefined);
  }
  const more = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  const wireguard = { Type: "wireguard" };
  assert.match(
    refused(wireguard, { ...wireguard, Mode: "auto" }, { more })!,
    /the devices of wireguard as it is and as it is to be at once/,
  );
});

Deno.test("a family that comes or goes is none, whatever the backend; an option that is changed with it is one", () => {
  const dual = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  for (const Type of ["vxlan", "udp", "host-gw", "wireguard"]) {
    assert.equal(refused({ Type }, { Type }, { after: dual }), undefined, Type);
    assert.equal(refused({ Type }, { Type }, { before: dual }), undefined, Type);
  }
  assert.match(
    refused({ Type: "vxlan" }, { Type: "vxlan", Port: 1 }, { after: dual })!,
    /other Port one by one/,
  );
});

Deno.test("a network of one host, and one that this version cannot carry, may be changed in any way", () => {
  assert.equal(refused({ Type: "vxlan" }, { Type: "alloc" }, { count: 1 }), undefined);
  assert.equal(refused({ Type: "of-tomorrow" }, { Type: "alloc" }), undefined);
  assert.equal(refused({ Type: "vxlan", VNI: 0 }, { Type: "vxlan", Port: 1 }), undefined);
});
