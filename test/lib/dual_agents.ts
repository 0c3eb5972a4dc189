/** Agents of `agents.ts` on hosts with IPv6 beside IPv4, and the networks for them. */
import type { KernelObject } from "../../kernel/state.ts";
import { defaultRoute, type TestHost, type TestNetwork, underlayStack } from "./agents.ts";
import { FakeKernel } from "./fake_kernel.ts";
import type { FakeStack } from "./fake_stack.ts";

const IPV6 = { EnableIPv6: true, IPv6Network: "fd00:5::/48", Backend: { Type: "vxlan" } };
export const dualNetwork = { Network: "10.5.0.0/16", ...IPV6 };
export const ipv6Network = { EnableIPv4: false, ...IPV6 };

/** An address of eth0. */
export const address = (text: string, more: { passing?: true; duplicate?: true } = {}): KernelObject => ({
  kind: "address",
  link: "eth0",
  address: text,
  ...more,
});
export const defaultRoute6: KernelObject = { ...defaultRoute, destination: "::/0", gateway: "fe80::99" };

/** The stack with an address of IPv6 on eth0 beside that of IPv4, and a default route. */
export function withIpv6(stack: FakeStack, n: number): FakeStack {
  stack.add(address(`2001:db8::${n}/64`));
  stack.add(defaultRoute6);
  return stack;
}

/** A kernel on such a stack. */
export function kernelOf(n: number): FakeKernel {
  return new FakeKernel(withIpv6(underlayStack(n), n));
}

/** A host of that kind that has joined. */
export async function joined(network: TestNetwork, n: number): Promise<TestHost> {
  return await network.joined(n, { kernel: kernelOf(n) });
}

/** Where the host's routes to its peers go. */
export function routes(host: TestHost): string[] {
  return host.keys("route").filter((key) => !key.includes("/128")).map((key) => key.split(" ")[1]!);
}

/** The addresses that the host's lease announces in the store. */
export async function announced(network: TestNetwork, host: TestHost) {
  const { records } = await network.store.read();
  const { PublicIP, PublicIPv6 } = records.find(({ node }) => node === host.node)!.value as {
    PublicIP: string;
    PublicIPv6: string | null;
  };
  return [PublicIP, PublicIPv6];
}
