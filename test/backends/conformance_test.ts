/** The backends pass the backend suite on the kernel in memory. */
import { dualStack } from "../../backends/dual.ts";
import { extension } from "../../backends/extension.ts";
import { hostGw } from "../../backends/host_gw.ts";
import { ipip } from "../../backends/ipip.ts";
import { ipsec } from "../../backends/ipsec.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { FakeXfrm } from "../lib/fake_xfrm.ts";
import { FakeWireguard } from "../lib/fake_wireguard.ts";
import { nobodyIsLeftOut } from "../conformance/backend_skips.ts";
import { objectCases } from "../conformance/backend_objects.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import type { BackendSuite } from "../conformance/stage.ts";
import { openHookedKernel } from "../../hooks/hooked_kernel.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeKernel, hostStack } from "../lib/fake_kernel.ts";
import {
  bareOwner,
  extensionView,
  host,
  hostGwSeenBy,
  ipsecHost,
  ipsecOwner,
  ipsecSeenBy,
  owner,
  seenAs,
  seenBy,
  udpHost,
  udpOwner,
  udpSeenBy,
  wireguardHost,
  wireguardOwner,
  wireguardSeenBy,
} from "../lib/overlay.ts";
import { onlyNear, stacks } from "../lib/stacks.ts";

function passes(suite: BackendSuite): void {
  backendSuite(suite);
  objectCases(suite);
}

const open = () => {
  const stack = hostStack();
  return Promise.resolve({
    kernel: () => new FakeKernel(stack),
    close: () => Promise.resolve(),
  });
};

const openDual = () => {
  const stack = hostStack();
  stack.add({ kind: "address", link: "eth0", address: "2001:db8::1/64" });
  return Promise.resolve({ kernel: () => new FakeKernel(stack), close: () => Promise.resolve() });
};

const openDualWireguard = () => {
  const fake = new FakeWireguard({ native: true });
  fake.stack.add({ kind: "address", link: "eth0", address: "2001:db8::1/64" });
  return Promise.resolve({ kernel: () => fake.open().kernel, close: () => Promise.resolve() });
};

passes({ name: "vxlan in memory", backend: vxlan, host: host(), owner, view: seenBy({}), open });

passes({
  name: "vxlan on demand in memory",
  backend: vxlan,
  host: host({ wanted: new Set(["10.5.2.7", "10.5.2.8", "10.5.3.7", "10.5.4.7"]) }),
  owner,
  view: seenBy({ Mode: "on-demand" }),
  open,
});

// Of its hosts 2 and 3 are on the link, and whoever changes its endpoint or comes later is not.
passes({
  name: "vxlan with direct routes in memory",
  backend: vxlan,
  host: host({ underlay: { ...host().underlay, onLink: ["192.0.2.0/30"] } }),
  owner,
  view: seenBy({ DirectRouting: true }),
  open,
});

passes({
  name: "udp in memory",
  backend: udp,
  host: udpHost(),
  owner: udpOwner,
  view: udpSeenBy({}),
  open,
});

passes({
  name: "host-gw in memory",
  backend: hostGw,
  host: host({ mac: "" }),
  owner: bareOwner,
  view: hostGwSeenBy({}),
  open,
});

for (const stack of stacks) {
  const suite = { host: stack.host(), owner: stack.owner(owner), open: openDual };
  const seen = (options: Parameters<typeof seenBy>[0]) => (peers: readonly number[]) =>
    stack.view(seenBy(options)(peers));
  const all = dualStack(vxlan);
  passes({ ...suite, name: `vxlan in ${stack.name} in memory`, backend: all, view: seen({}) });
  passes({
    ...suite,
    name: `vxlan on demand in ${stack.name} in memory`,
    backend: all,
    host: stack.host({ wanted: new Set(["10.5.2.7", "fd00:5:0:2::7", "fd00:5:0:2::8", "fd00:5:0:3::7"]) }),
    view: seen({ Mode: "on-demand" }),
  });
  passes({
    ...suite,
    name: `vxlan with direct routes in ${stack.name} in memory`,
    backend: all,
    host: onlyNear(stack.host()),
    view: seen({ DirectRouting: true }),
  });
  passes({
    name: `udp in ${stack.name} in memory`,
    backend: dualStack(udp),
    host: stack.host(udpHost()),
    owner: stack.owner(udpOwner),
    view: (peers) => stack.view(udpSeenBy({})(peers)),
    open: openDual,
  });
  passes({
    name: `host-gw in ${stack.name} in memory`,
    backend: dualStack(hostGw),
    host: stack.host({ mac: "" }),
    owner: stack.owner(bareOwner),
    view: (peers) => stack.view(hostGwSeenBy({})(peers)),
    open: openDual,
  });
}

const ipipOwner = { ...bareOwner, links: ["flan.ipip"] };

passes({
  name: "ipip in memory",
  backend: ipip,
  host: host({ mac: "" }),
  owner: ipipOwner,
  view: seenAs("ipip"),
  open,
});

passes({
  name: "ipip with direct routes in memory",
  backend: ipip,
  host: host({ mac: "", underlay: { ...host().underlay, onLink: ["192.0.2.0/30"] } }),
  owner: ipipOwner,
  view: seenAs("ipip", { options: { DirectRouting: true } }),
  open,
});

for (const UDPEncap of [false, true]) {
  passes({
    name: `ipsec in memory${UDPEncap ? ", ESP in UDP" : ""}`,
    backend: ipsec,
    host: ipsecHost(),
    owner: ipsecOwner,
    view: ipsecSeenBy({ UDPEncap }),
    open() {
      const fake = new FakeXfrm();
      return Promise.resolve({ kernel: () => fake.open().kernel, close: () => Promise.resolve() });
    },
  });
}

for (const stack of stacks) {
  passes({
    name: `wireguard in ${stack.name} in memory`,
    backend: wireguard,
    host: stack.host(wireguardHost()),
    owner: stack.owner(wireguardOwner),
    view: (peers) => stack.view(wireguardSeenBy({})(peers)),
    open: openDualWireguard,
  });
}

for (const Mode of ["auto", "ipv4", "ipv6"] as const) {
  for (const stack of stacks) {
    if (Mode === "ipv4" && stack.name === "IPv6") continue;
    passes({
      name: `wireguard in ${stack.name} in memory, one device by Mode ${Mode}`,
      backend: wireguard,
      host: stack.host(wireguardHost()),
      owner: { ...stack.owner(wireguardOwner), links: ["flan-wg"] },
      view: (peers) => stack.view(wireguardSeenBy({ Mode })(peers)),
      open: openDualWireguard,
    });
  }
}

for (const native of [true, false]) {
  passes({
    name: `wireguard in memory, ${native ? "the kernel's" : "a program's"}`,
    backend: wireguard,
    host: wireguardHost(),
    owner: wireguardOwner,
    view: wireguardSeenBy({ PersistentKeepaliveInterval: 25 }),
    open() {
      const fake = new FakeWireguard({ native });
      return Promise.resolve({ kernel: () => fake.open().kernel, close: () => Promise.resolve() });
    },
  });
}

const commands = {
  PostStartupCommand: ":",
  ShutdownCommand: ":",
  SubnetAddCommand: "cat >&2",
  SubnetRemoveCommand: 'test -n "$SUBNET$IPV6SUBNET"',
};

/** A stack whose hooks a shell runs. */
function openHooked() {
  const stack = hostStack();
  const dir = Deno.makeTempDirSync({ prefix: "flan-hooks-" });
  const hooked = { file: `${dir}/hooks.json`, clock: new FakeClock(), allowed: true };
  return Promise.resolve({
    kernel: () => openHookedKernel(new FakeKernel(stack), hooked),
    close: () => Deno.remove(dir, { recursive: true }),
  });
}

passes({
  name: "extension with a shell",
  backend: extension,
  host: host({ mac: "" }),
  owner: bareOwner,
  view: (peers) => extensionView(peers, commands),
  open: openHooked,
});

for (const stack of stacks) {
  passes({
    name: `extension in ${stack.name} with a shell`,
    backend: extension,
    host: stack.host({ mac: "" }),
    owner: stack.owner(bareOwner),
    view: (peers) => stack.view(extensionView(peers, commands)),
    open: openHooked,
  });
}

nobodyIsLeftOut("in memory");
nobodyIsLeftOut("object by object");
