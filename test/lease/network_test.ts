import assert from "node:assert/strict";
import { newNetworkConfig, parseNetworkConfig, subnetCount } from "../../lease/network.ts";
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
    JSON.stringify(newNetworkConfig({ network: "10.244.0.0/16", backend })),
    '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":7}}',
  );
  const full = {
    network: "10.0.0.0/8",
    subnetLen: 20,
    subnetMin: "10.10.0.0",
    subnetMax: "10.99.0.0",
    backend,
  };
  assert.equal(
    JSON.stringify(newNetworkConfig(full)),
    '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0",' +
      '"Backend":{"Type":"vxlan","VNI":7}}',
  );
});

Deno.test("a new network is checked like one that is read", () => {
  const backend = { Type: "vxlan" };
  assert.throws(() => newNetworkConfig({ network: "10.244.0.0/30", backend }), /too small/);
  assert.throws(
    () => newNetworkConfig({ network: "10.244.0.0/16", subnetLen: 33, backend }),
    /SubnetLen is 33/,
  );
});

Deno.test("the subnets that can be leased are counted from the first to the last", () => {
  assert.equal(subnetCount(parseNetworkConfig({ Network: "10.5.0.0/16" })), 255);
  assert.equal(subnetCount(parseNetworkConfig({ Network: "10.0.0.0/8", SubnetLen: 30 })), 2 ** 22 - 1);
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
