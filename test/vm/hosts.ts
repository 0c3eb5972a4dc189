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
import type { View } from "../../lease/view.ts";
import { config, host as aHost, lease } from "../lib/overlay.ts";
import { kernelOf } from "./namespace.ts";

export interface HostsInit {
  readonly name: string;
  readonly count: number;
  readonly backend: Backend;
  readonly options?: Parameters<typeof config>[0];
  /** What is particular to a host beside its addresses. */
  readonly facts?: (number: number) => Partial<Host>;
  /** Puts around each host's kernel what the backend needs. */
  readonly around?: (kernel: Kernel, host: Host & { readonly namespace: string }) => Kernel;
}

/** One host: 192.0.2.n on the underlay, 10.5.n.0/24 in the overlay, and 10.5.n.1 as its container. */
export interface VmHost {
  readonly number: number;
  readonly namespace: string;
  readonly container: string;
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
      const container = `10.5.${number}.1`;
      await must(["ip", "-netns", namespace, "address", "add", `${container}/24`, "dev", "lo"]);
      // These hosts have IPv4 alone; a link-local address that is still tentative would change while they are compared.
      const off = ["all", "default"].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`);
      await must(["ip", "netns", "exec", namespace, "sysctl", "--quiet", "--write", ...off]);
      const host = aHost({
        node: `vm${number}`,
        mac: "",
        publicIp: address,
        underlay: { ...aHost().underlay, address },
        ...init.facts?.(number),
      });
      const kernel = kernelOf(namespace, systemClock);
      return {
        number,
        namespace,
        container,
        host,
        kernel: init.around?.(kernel, { ...host, namespace }) ?? kernel,
      };
    }));
    return new VmHosts(lab, all, init);
  }

  /** The lease of a host, as it would announce it. */
  leaseOf({ number, host }: VmHost): Lease {
    return lease(number, {
      node: host.node,
      ...this.#init.backend.announce(config(this.#init.options, this.#init.backend.type), host),
    });
  }

  /**
   * Brings a host to its plan, with all others as its peers, and with what of it has changed since; returns the number of
   * changes.
   */
  async join(one: VmHost, change: Partial<Host> = {}): Promise<number> {
    const { backend, options } = this.#init;
    const network = config(options, backend.type);
    const peers = this.all.filter((other) => other !== one).map((other) => this.leaseOf(other));
    const view: View = { network, own: this.leaseOf(one), peers, refused: [] };
    const owner = { ...this.#owner(one), links: backend.devices(network) };
    const reconciler = new Reconciler(one.kernel, { owner, clock: systemClock });
    const report = await reconciler.reconcile(backend.plan(view, { ...one.host, ...change }).objects, {
      resync: true,
    });
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
    return { alias: aliasOf(node), links: [], network: "10.5.0.0/16", networks: ["10.5.0.0/16"] };
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
