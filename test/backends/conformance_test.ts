/** The backends pass the backend suite on the kernel in memory. */
import { vxlan } from "../../backends/vxlan.ts";
import { backendSuite } from "../conformance/backend_suite.ts";
import { FakeKernel, hostStack } from "../lib/fake_kernel.ts";
import { host, lease, macOf, owner, view } from "../lib/overlay.ts";
import type { Json } from "../../net/json.ts";

const open = () => {
  const stack = hostStack();
  return Promise.resolve({
    kernel: () => new FakeKernel(stack),
    close: () => Promise.resolve(),
  });
};

const seen = (options: { [key: string]: Json }) => (peers: readonly number[]) =>
  view(
    peers.map((n) =>
      n > 0 ? n : lease(-n, { publicIp: `192.0.2.${100 - n}`, backendData: { VtepMAC: macOf(100 - n) } })
    ),
    options,
  );

backendSuite({ name: "vxlan in memory", backend: vxlan, host: host(), owner, view: seen({}), open });

backendSuite({
  name: "vxlan on demand in memory",
  backend: vxlan,
  host: host({ wanted: new Set(["10.5.2.7", "10.5.2.8", "10.5.3.7", "10.5.4.7"]) }),
  owner,
  view: seen({ Mode: "on-demand" }),
  open,
});
