import assert from "node:assert/strict";
import { givesOut, newNetworkConfig, parseNetworkConfig } from "../../lease/network.ts";
import { subnetCount } from "../../lease/subnet_range.ts";
import { FlanError } from "../../net/errors.ts";
import { formatCidr } from "../../net/ip.ts";
import type { Json } from "../../net/json.ts";
import { isPrintable } from "../../net/text.ts";

interface Good {
  name: string;
  config: Json;
  subnetLength: number;
  min: string;
  max: string;
  /** Of the second family. */
  min6?: string;
  max6?: string;
  backend: string;
  options?: Json;
  unknown?: string[];
}
const good: Good[] = fixture("network-good");
const bad: { config: Json; says: string }[] = fixture("network-bad");

for (const { name, config, ...expected } of good) {
  Deno.test(`network config: ${name}`, () => {
    const parsed = parseNetworkConfig(config);
    assert.equal(parsed.subnetLength, expected.subnetLength);
    assert.equal(formatCidr(parsed.subnetMin), expected.min);
    assert.equal(formatCidr(parsed.subnetMax), expected.max);
    assert.equal(parsed.ipv6 && formatCidr(parsed.ipv6.subnetMin), expected.min6);
    assert.equal(parsed.ipv6 && formatCidr(parsed.ipv6.subnetMax), expected.max6);
    assert.equal(parsed.backendType, expected.backend);
    assert.deepEqual(parsed.backendOptions, expected.options ?? {});
    assert.deepEqual(parsed.unknownKeys, expected.unknown ?? []);
  });
}

for (const { config, says } of bad) {
  Deno.test(`network config ${JSON.stringify(config)} is refused`, () => {
    const error = refusal(config);
    assert.ok(error.message.startsWith("Cannot use the network config: "), error.message);
    assert.ok(error.message.includes(says), error.message);
    assert.ok(isPrintable(error.message));
  });
}

Deno.test("a network config is bounded in size and depth", () => {
  const base = { Network: "10.5.0.0/16" };
  assert.match(refusal({ ...base, x: "y".repeat(65_536) }).message, /64 KiB/);
  let deep: Json = 1;
  for (let i = 0; i < 10_000; i++) deep = [deep];
  assert.match(refusal({ ...base, x: deep }).message, /nested/);
});

Deno.test("the config of a new network has flannel's form and order", () => {
  const backend = { Type: "vxlan", VNI: 7 };
  assert.equal(
    JSON.stringify(newNetworkConfig({ ipv4: { network: "10.244.0.0/16" }, backend })),
    '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":7}}',
  );
  const full = {
    network: "10.0.0.0/8",
    subnetLen: 20,
    subnetMin: "10.10.0.0",
    subnetMax: "10.99.0.0",
  };
  assert.equal(
    JSON.stringify(newNetworkConfig({ ipv4: full, backend })),
    '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0",' +
      '"Backend":{"Type":"vxlan","VNI":7}}',
  );
});

Deno.test("a new network is checked like one that is read", () => {
  const backend = { Type: "vxlan" };
  assert.throws(() => newNetworkConfig({ ipv4: { network: "10.244.0.0/30" }, backend }), /too small/);
  assert.throws(
    () => newNetworkConfig({ ipv4: { network: "10.244.0.0/16", subnetLen: 33 }, backend }),
    /SubnetLen is 33/,
  );
});

Deno.test("the subnets that can be leased are counted from the first to the last", () => {
  assert.equal(subnetCount(parseNetworkConfig({ Network: "10.5.0.0/16" })), 255);
  assert.equal(subnetCount(parseNetworkConfig({ Network: "10.0.0.0/8", SubnetLen: 30 })), 2 ** 22 - 1);
  const ipv6 = { EnableIPv4: false, EnableIPv6: true };
  assert.equal(subnetCount(parseNetworkConfig({ ...ipv6, IPv6Network: "fd00:5::/48" })), 65_535);
  assert.equal(
    subnetCount(parseNetworkConfig({ ...ipv6, IPv6Network: "fd00::/16", IPv6SubnetLen: 126 })),
    2 ** 110,
  );
});

Deno.test("a new network of IPv6 has flannel's fields, beside those of IPv4 or alone", () => {
  const ipv6 = {
    network: "fd00:5::/48",
    subnetLen: 64,
    subnetMin: "fd00:5:0:8::",
    subnetMax: "fd00:5:0:f::",
  };
  const backend = { Type: "vxlan" };
  assert.equal(
    JSON.stringify(newNetworkConfig({ ipv4: { network: "10.5.0.0/16" }, ipv6, backend })),
    '{"EnableIPv6":true,"Network":"10.5.0.0/16","IPv6Network":"fd00:5::/48","IPv6SubnetLen":64,' +
      '"IPv6SubnetMin":"fd00:5:0:8::","IPv6SubnetMax":"fd00:5:0:f::","Backend":{"Type":"vxlan"}}',
  );
  assert.equal(
    JSON.stringify(newNetworkConfig({ ipv6: { network: "fd00:5::/48" }, backend })),
    '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:5::/48","Backend":{"Type":"vxlan"}}',
  );
});

Deno.test("a new network does not overlap what IPv6 keeps for itself, and one that is read may", () => {
  const backend = { Type: "vxlan" };
  const ranges = {
    "::/0": "no address",
    "::/124": "no address",
    "::1:0:0/8": "no address",
    "::ffff:10.0.0.0/104": "IPv4 in IPv6",
    "fe80::/48": "link-local",
    "ff05::/48": "multicast",
  };
  for (const [network, says] of Object.entries(ranges)) {
    assert.throws(
      () => newNetworkConfig({ ipv6: { network }, backend }),
      new RegExp(`which .*${says}`),
      network,
    );
    parseNetworkConfig({ EnableIPv4: false, EnableIPv6: true, IPv6Network: network });
  }
  const ipv4 = { network: "127.0.0.0/16" };
  assert.throws(() => newNetworkConfig({ ipv4, ipv6: { network: "fd00::/48" }, backend }), /Network is 127/);
});

Deno.test("of a dual-stack network a lease needs a key with a subnet of each family", () => {
  const ipv4 = { Network: "10.5.0.0/16" };
  const ipv6 = { EnableIPv6: true, IPv6Network: "fd00:5::/48" };
  const keys = [
    "10.5.1.0-24",
    "10.5.1.0-24&fd00:5:0:1::-64",
    "fd00:5:0:1::-64",
    "10.5.1.0-24&fd00:5:0:1::-72",
    "10.5.1.0-25&fd00:5:0:1::-64",
    "10.5.1.0-24&?",
    "?",
  ];
  const given = (config: Json) => keys.filter((key) => givesOut(parseNetworkConfig(config), key));
  assert.deepEqual(given(ipv4), [keys[0]]);
  assert.deepEqual(given({ ...ipv4, ...ipv6 }), [keys[1]]);
  assert.deepEqual(given({ EnableIPv4: false, ...ipv6 }), [keys[2]]);
});

function refusal(config: Json): FlanError {
  try {
    parseNetworkConfig(config);
  } catch (error) {
    assert.ok(error instanceof FlanError);
    assert.equal(error.code, "invalid");
    return error;
  }
  throw new Error("the config was accepted");
}

function fixture<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/config/${name}.json`, import.meta.url)));
}
