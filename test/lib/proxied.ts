/** A kernel with its proxy to test: an inner kernel in memory, and a proxy on a real socket that may die, hang or come back. */
import { systemClock } from "../../agent/clock.ts";
import type { Change, Kernel } from "../../kernel/kernel.ts";
import { aliasOf, type KernelObject, type Link, type Proxy, type ProxyRoute } from "../../kernel/state.ts";
import { FlanError } from "../../net/errors.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { ServedProxy, settings, wayOf } from "./served_proxy.ts";

export const everything = { links: [], sysctls: [] };
export const wanted: Proxy = { kind: "proxy", ...settings, carrying: true };
export const link: Link = {
  kind: "link",
  name: "flan0",
  type: "tun",
  alias: aliasOf("node"),
  mac: "",
  mtu: 1472,
  up: true,
  tun: { multiQueue: false, queueLength: 1000 },
};

export function route(n: number): ProxyRoute {
  const [destination, remote, port] = wayOf(n);
  return { kind: "proxy-route", link: "flan0", destination, remote, port };
}

export const add = (object: KernelObject): Change => ({ verb: "add", object });
export const remove = (object: KernelObject): Change => ({ verb: "delete", object });

export class Setup {
  readonly inner = new FakeKernel();
  readonly runDir = Deno.makeTempDirSync({ prefix: "flan-proxied-" });
  readonly kernels: Kernel[] = [];
  /** Proxies that were started, here or by the kernel under test. */
  readonly proxies: ServedProxy[] = [];
  spawned = 0;
  spawnError: FlanError | undefined;
  /** Why the next one that is spawned cannot be configured: message and errno. */
  failNext: readonly [string, string] | undefined;
  readonly kernel = this.open();

  /** Another agent on the same host. */
  open(clock = systemClock as FakeClock): Kernel {
    const spawn = () => {
      this.spawned++;
      if (this.spawnError !== undefined) return Promise.reject(this.spawnError);
      const { plane } = this.startProxy();
      if (this.failNext !== undefined) plane.failNext(...this.failNext);
      return Promise.resolve();
    };
    const kernel = openProxiedKernel(this.inner, {
      family: 4,
      runDir: this.runDir,
      clock,
      spawn,
      requireProxy: () => {},
    });
    this.kernels.push(kernel);
    return kernel;
  }

  startProxy(): ServedProxy {
    const proxy = new ServedProxy(this.runDir);
    this.proxies.push(proxy);
    return proxy;
  }

  get proxy(): ServedProxy {
    return this.proxies.at(-1)!;
  }

  async proxyObjects(kernel = this.kernel): Promise<KernelObject[]> {
    return (await kernel.dump(everything)).filter(({ kind }) => kind.startsWith("proxy"));
  }

  async end(): Promise<void> {
    for (const kernel of this.kernels) kernel.close();
    for (const proxy of this.proxies) await proxy.end();
    Deno.removeSync(this.runDir, { recursive: true });
  }
}

export function test(name: string, work: (setup: Setup) => Promise<void>): void {
  Deno.test(`proxied kernel: ${name}`, async () => {
    const setup = new Setup();
    try {
      await work(setup);
    } finally {
      await setup.end();
    }
  });
}
