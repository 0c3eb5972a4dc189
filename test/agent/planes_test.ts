import assert from "node:assert/strict";
import {
  asItMoves,
  canStandBeside,
  forgetPlanes,
  planeName,
  readPlanes,
  rememberPlanes,
} from "../../agent/planes.ts";
import { hostGw } from "../../backends/host_gw.ts";
import { alloc } from "../../backends/alloc.ts";
import { backendFor } from "../../backends/registry.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { vxlan } from "../../backends/vxlan.ts";
import type { OtherPlane } from "../../lease/other_planes.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Json } from "../../net/json.ts";
import { assertGoldenJson } from "../cli/golden.ts";
import { config, ipsecHost, ipsecLease, ipsecView, macOf, PRESHARED_KEY } from "../lib/overlay.ts";
import { requireValid } from "../lib/schemas.ts";

const configOf = (Type: string, options: Record<string, Json> = {}) =>
  parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type, ...options } });
const macs = { "flan.7": "02:00:00:00:00:07" };

Deno.test("planes: what a host has is remembered for root alone, each once, and forgotten when it leaves", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-planes-" });
  try {
    const present = { backend: hostGw, config: configOf("host-gw") };
    const former = { backend: vxlan, config: configOf("vxlan", { VNI: 7 }) };
    // Whose packets flan does not carry itself cannot be kept beside others.
    await rememberPlanes(dir, [present, former, present, { backend: alloc, config: configOf("alloc") }]);
    const file = `${dir}/planes.json`;
    const text = Deno.readTextFileSync(file);
    requireValid(JSON.parse(text));
    assertGoldenJson("planes", text);
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
    const read = readPlanes(dir, { network: configOf("udp"), macs });
    assert.deepEqual(read.map(planeName), ["host-gw", "vxlan flan.7"]);
    assert.deepEqual(read[1]!.identity?.macs, ["02:00:00:00:00:07"]);
    forgetPlanes(dir);
    forgetPlanes(dir);
    assert.deepEqual(readPlanes(dir, { network: configOf("udp"), macs }), []);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("planes: what cannot be read or used is no plane, and keeps nobody from looking", () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-planes-" });
  try {
    const network = configOf("vxlan");
    const written = (value: unknown) => {
      Deno.writeTextFileSync(`${dir}/planes.json`, typeof value === "string" ? value : JSON.stringify(value));
      return readPlanes(dir, { network, macs }).map(planeName);
    };
    const schema = "flan.planes/v1";
    const good = { type: "vxlan", options: { VNI: 7 } };
    assert.deepEqual(written({ schema, planes: [good] }), ["vxlan flan.7"]);
    for (const text of ["", "{", "x".repeat(70_000), { schema, planes: Array(9).fill(good) }]) {
      assert.deepEqual(written(text), []);
    }
    const strange = [{ type: "of-tomorrow", options: {} }, { type: "vxlan", options: { VNI: 0 } }];
    assert.deepEqual(written({ schema, planes: [...strange, good] }), ["vxlan flan.7"]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("planes: two of one backend stand beside each other where their devices and their VNIs are two", () => {
  const families = {
    IPv4: {},
    IPv6: { EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd00:5::/48" },
  };
  const plane = (
    Backend: { Type: string; [option: string]: Json },
    family: keyof typeof families = "IPv6",
  ) => {
    const config = parseNetworkConfig({ Network: "10.5.0.0/16", ...families[family], Backend });
    return { backend: backendFor(config.backendType), config };
  };
  const one = plane({ Type: "vxlan" });
  assert.ok(canStandBeside(one, plane({ Type: "vxlan", VNI: 2 })));
  assert.ok(canStandBeside(one, plane({ Type: "udp" })));
  assert.ok(!canStandBeside(one, plane({ Type: "vxlan", vni: 1 }, "IPv4")), "leases say the same of both");
  const separate = plane({ Type: "wireguard" });
  const auto = plane({ Type: "wireguard", Mode: "auto" });
  assert.notEqual(planeName(separate), planeName(auto));
  assert.ok(!canStandBeside(separate, auto), "leases say the same of both");
});

Deno.test("planes: who looks sees by leases which peers this host sends to by a nonce that they know", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-planes-" });
  try {
    const present = { backend: ipsec, config: config({ PSK: PRESHARED_KEY }, "ipsec") };
    const former = { backend: vxlan, config: config() };
    await rememberPlanes(dir, [present, former]);
    const beside = (n: number, words: Pick<OtherPlane, "heard" | "asks">) => ({
      otherPlanes: [{
        backendType: "vxlan",
        backendData: { VNI: 1, VtepMAC: macOf(n) },
        sends: true,
        ...words,
      }],
    });
    const waysOf = (asks: Pick<OtherPlane, "asks">) => {
      const own = ipsecLease(1, beside(1, asks));
      const { backend } = asItMoves({ ...present, devices: ["flan.ipsec"], ignored: [] }, {
        stateDir: dir,
        encrypt: undefined,
        macs: { "flan.1": macOf(1) },
        lease: own,
        host: ipsecHost(),
        met: undefined,
      });
      const peers = [ipsecLease(2, beside(2, { heard: 9 })), ipsecLease(3, beside(3, { heard: 10 }))];
      return backend.plan({ ...ipsecView(peers), own }, ipsecHost()).peers.map(({ way }) => way);
    };
    assert.deepEqual(waysOf({ asks: 10 }), ["vxlan", "ipsec"]);
    assert.deepEqual(waysOf({}), ["ipsec", "ipsec"], "it asks for nothing");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
