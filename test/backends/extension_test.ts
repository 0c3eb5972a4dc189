/** What the extension backend plans, announces and refuses. */
import assert from "node:assert/strict";
import { extension } from "../../backends/extension.ts";
import type { Host } from "../../backends/backend.ts";
import { toCommands } from "../../kernel/commands.ts";
import { hookEnvironment } from "../../kernel/hook.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { config, extensionView as view, host, lease } from "../lib/overlay.ts";
import type { View } from "../../lease/view.ts";
import { dualHost, dualView, ipv6Host, ipv6View } from "../lib/stacks.ts";

const options = { SubnetAddCommand: "add $SUBNET", SubnetRemoveCommand: "remove" };
const own = { PostStartupCommand: "post", ShutdownCommand: "shut" };

function hook(n: number, change: Partial<KernelObject & { kind: "hook" }> = {}): KernelObject {
  return {
    kind: "hook",
    subnet: `10.5.${n}.0/24`,
    publicIp: `192.0.2.${n}`,
    network: "",
    data: `data of ${n}`,
    add: "add $SUBNET",
    remove: "remove",
    ...change,
  };
}

Deno.test("extension: each peer takes one hook, with what it announced, and this host's own comes first", () => {
  const { objects, peers } = extension.plan(view([2, 3], { ...options, ...own }), host());
  const mine = hook(1, { network: "10.5.0.0/16", data: "", add: "post", remove: "shut" });
  assert.deepEqual(objects, [mine, hook(2), hook(3)]);
  assert.deepEqual(peers.map(({ way, keys }) => [way, keys]), [
    ["extension", ["hook 10.5.2.0/24"]],
    ["extension", ["hook 10.5.3.0/24"]],
  ]);
});

Deno.test("extension: without commands there is nothing to be done, and peers are peers all the same", () => {
  const { objects, peers } = extension.plan(view([2], {}), host());
  assert.deepEqual([objects, peers.map(({ keys }) => keys)], [[], [[]]]);
});

Deno.test("extension: data that is no string is handed on as JSON, and none as nothing", () => {
  const of = (backendData: undefined | { a: number }) => lease(2, { backendType: "extension", backendData });
  const data = (peer: ReturnType<typeof of>) => {
    const [one] = extension.plan(view([peer], options), host()).objects;
    return one?.kind === "hook" && one.data;
  };
  assert.deepEqual([data(of({ a: 1 })), data(of(undefined))], ['{"a":1}', ""]);
});

Deno.test("extension: a lease announces what the startup command said", () => {
  const network = config({ PreStartupCommand: "pre" }, "extension");
  assert.equal(extension.startup(network), "pre");
  const announced = (said: string) => extension.announce(network, host({ said })).backendData;
  assert.deepEqual([announced("key"), announced("")], ["key", undefined]);
});

Deno.test("extension: leases of other backends are refused, and so are options that are no commands", () => {
  const { refused } = extension.plan(view([lease(2)], options), host());
  assert.deepEqual(refused.map(({ code }) => code), ["other-backend"]);
  for (const bad of [7, "a\0b", "x".repeat(16 * 1024 + 1)]) {
    const network = config({ SubnetAddCommand: bad }, "extension");
    assert.throws(() => extension.check(network), {
      code: "invalid",
      message: /SubnetAddCommand is .* is needed/,
    });
  }
});

Deno.test("extension: the commands that are printed are told what flan tells them, and no terminal is", () => {
  const shown = (verb: "add" | "delete", object: KernelObject) => toCommands([{ verb, object }]);
  const told = "SUBNET=10.5.2.0/24 IPV6SUBNET= PUBLIC_IP=192.0.2.2 PUBLIC_IPV6=";
  assert.deepEqual(shown("add", hook(2)), [`printf '%s\\n' 'data of 2' | env ${told} sh -c 'add $SUBNET'`]);
  assert.deepEqual(shown("delete", hook(2)), [`printf '%s\\n' 'data of 2' | env ${told} sh -c remove`]);
  assert.deepEqual(shown("delete", hook(2, { remove: "" } as Partial<KernelObject & { kind: "hook" }>)), []);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(shown("add", hook(2, { data: "\u001b[2J" } as never)).join(), /\u001b/);
});

Deno.test("extension: of a dual-stack lease a command is told both halves, of one of IPv6 that alone", () => {
  const told = (seen: View, at: Host) =>
    extension.plan(seen, at).objects.map((one) => one.kind === "hook" && hookEnvironment(one));
  const both = told(dualView(view([2], { ...options, ...own })), dualHost());
  const second = { IPV6SUBNET: "fd00:5:0:2::/64", PUBLIC_IPV6: "2001:db8::2" };
  assert.deepEqual(both, [
    {
      NETWORK: "10.5.0.0/16",
      IPV6_NETWORK: "fd00:5::/48",
      SUBNET: "10.5.1.0/24",
      IPV6SUBNET: "fd00:5:0:1::/64",
      PUBLIC_IP: "192.0.2.1",
      PUBLIC_IPV6: "2001:db8::1",
    },
    { SUBNET: "10.5.2.0/24", PUBLIC_IP: "192.0.2.2", ...second },
  ]);
  assert.deepEqual(told(ipv6View(view([2], options)), ipv6Host()), [
    { SUBNET: "", PUBLIC_IP: "", ...second },
  ]);
});
