/**
 * Hosts of a network as namespaces, each brought to its plan by this process: an agent of its own would take ten seconds
 * to start where all is emulated.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Backend, Host } from "../../backends/backend.ts";
import { Lab } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { aliasOf } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import type { Lease } from "../../lease/lease.ts";
import { familiesOf } from "../../lease/stack.ts";
import type { View } from "../../lease/view.ts";
import type { Family } from "../../net/ip.ts";
import { config, host as aHost, lease } from "../lib/overlay.ts";
import { NETWORK6, type Stack } from "../lib/stacks.ts";
import { kernelOf } from "./namespace.ts";

export interface HostsInit {
  readonly name: string;
  readonly count: number;
  readonly backend: Backend;
  readonly options?: Parameters<typeof config>[0];
  /** Of a network that is not of IPv4 alone. */
  readonly stack?: Stack;
  /** What is particular to a host beside its addresses. */
  readonly facts?: (number: number, host: Host) => Partial<Host>;
  /** Puts around each host's kernel what the backend needs. */
  readonly around?: (kernel: Kernel, host: Host & { readonly namespace: string }) => Kernel;
}

/**
 * One host: 192.0.2.n on the underlay, 10.5.n.0/24 in the overlay, and 10.5.n.1 as its container; of IPv6 2001:db8::n,
 * fd00:5:0:n::/64 and fd00:5:0:n::1.
 */
export interface VmHost {
  readonly number: number;
  readonly namespace: string;
  /** The first of the containers. */
  readonly container: string;
  /** One of each family of the network. */
  readonly containers: readonly string[];
  readonly host: Host;
  readonly kernel: Kernel;
}

export class VmHosts implements AsyncDisposable {
  readonly lab: Lab;
  readonly all: readonly VmHost[];
  readonly #init: HostsInit;

  private constructor(lab: Lab, all: readonly VmHost[], init: HostsInit) {
    this.lab = lab;
    this.all = all;
    this.#init = init;
  }

  /** Makes the namespaces, and a container's address in each. Nothing of the network is there yet. */
  static async create(init: HostsInit): Promise<VmHosts> {
    const lab = await Lab.create({ name: `vm-${init.name}`, hosts: init.count });
    const all = await Promise.all(lab.hosts.map(async ({ namespace, address }, i): Promise<VmHost> => {
      const number = i + 1;
      const containers = familiesOf(viewOf(init).network).map((family) => containerOf(number, family));
      await must(["sh", "-c", init.stack === undefined ? IPV4 : IPV6, "sh", namespace, `${number}`]);
      const bare = (init.stack?.host ?? aHost)({
        node: `vm${number}`,
        mac: "",
        publicIp: address,
        underlay: { ...aHost().underlay, address },
      });
      const host = { ...bare, ...init.facts?.(number, bare) };
      const kernel = kernelOf(namespace, systemClock);
      return {
        number,
        namespace,
        container: containers[0]!,
        containers,
        host,
        kernel: init.around?.(kernel, { ...host, namespace }) ?? kernel,
      };
    }));
    return new VmHosts(lab, all, init);
  }

  /** The lease of a host, as it would announce it. */
  leaseOf({ number, host }: VmHost): Lease {
    const { backend, stack } = this.#init;
    const bare = lease(number, { node: host.node, backendType: backend.type, backendData: undefined });
    return { ...stack?.lease(bare) ?? bare, ...backend.announce(viewOf(this.#init).network, host) };
  }

  /**
   * Brings a host to its plan, with all others as its peers, and with what of it has changed since; returns the number of
   * changes.
   */
  async join(one: VmHost, change: Partial<Host> = {}): Promise<number> {
    const { backend } = this.#init;
    const peers = this.all.filter((other) => other !== one).map((other) => this.leaseOf(other));
    const view: View = { ...viewOf(this.#init), own: this.leaseOf(one), peers };
    const owner = { ...this.#owner(one), links: backend.devices(view.network) };
    const reconciler = new Reconciler(one.kernel, { owner, clock: systemClock });
    const { objects } = backend.plan(view, { ...one.host, ...change });
    // Where this process is there are no settings of the hosts' links, whose IPv6 is on anyway.
    const planned = objects.filter(({ kind }) => kind !== "sysctl");
    const report = await reconciler.reconcile(planned, { resync: true });
    assert.deepEqual([report.error, report.failures.map(({ error }) => error.message)], [undefined, []]);
    assert.deepEqual(report.conflicts, []);
    return report.done.length;
  }

  async joinAll(): Promise<void> {
    for (const one of this.all) await this.join(one);
  }

  /** What `flan down` does in the kernel. */
  async leave(one: VmHost): Promise<void> {
    const { failures } = await teardown(one.kernel, this.#owner(one));
    assert.deepEqual(failures, []);
  }

  #owner({ host: { node } }: VmHost) {
    return {
      alias: aliasOf(node),
      links: [],
      network: "10.5.0.0/16",
      network6: NETWORK6,
      networks: ["10.5.0.0/16", NETWORK6],
    };
  }

  /** Runs a program on a host, and returns what it says. */
  async on({ namespace }: VmHost, argv: readonly string[]): Promise<string> {
    return await must(["ip", "netns", "exec", namespace, ...argv]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { kernel } of this.all) kernel.close();
    await this.lab.remove();
  }
}

/** A network in which nobody is yet. */
function viewOf({ options, backend, stack }: HostsInit): View {
  const view: View = { network: config(options, backend.type), own: undefined, peers: [], refused: [] };
  return stack?.view(view) ?? view;
}

function containerOf(number: number, family: Family): string {
  return family === 4 ? `10.5.${number}.1` : `fd00:5:0:${number}::1`;
}

/** A link-local address that is still tentative would change while the namespaces are compared. */
const IPV4 = `set -e
ip -netns "$1" address add "10.5.$2.1/24" dev lo
ip netns exec "$1" sysctl --quiet --write net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`;

/** Nobody has these addresses, and nothing waits until that is asked. */
const IPV6 = `set -e
ip -netns "$1" address add "10.5.$2.1/24" dev lo
ip -netns "$1" address add "fd00:5:0:$2::1/64" dev lo nodad
ip -netns "$1" address add "2001:db8::$2/64" dev eth0 nodad`;
