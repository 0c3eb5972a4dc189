/** What commands that start or foresee a network stand on: a store and a kernel in memory, and settings. */
import type { Context } from "../../cmd/context.ts";
import type { Settings, Source } from "../../cmd/settings.ts";
import { MemoryStore } from "../../lease/document/memory_store.ts";
import { underlayStack } from "./agents.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { KeptLog } from "./reconciling.ts";

/** A command on a host whose state directory is new. */
export function contextOf(settings: Partial<Settings>): Context {
  const sources = new Proxy({}, { get: (): Source => "flag" }) as Record<keyof Settings, Source>;
  const all = {
    stateDir: "/nonexistent/flan",
    network: "10.5.0.0/16",
    leaseTtl: 3600,
    ...settings,
  } as Settings;
  return { settings: all, sources, file: undefined, clock: new FakeClock(), log: new KeptLog() };
}

export function ground() {
  const store = new MemoryStore({ clock: new FakeClock() });
  const kernel = new FakeKernel(underlayStack(1));
  const hidden = {
    isProxyHidden: () => false,
    isFirewallHidden: () => false,
    isHooksHidden: () => false,
    isWireguardHidden: () => false,
    isIpsecHidden: () => false,
  };
  return { store, kernel, ...hidden, allowOverlap: false, close() {} };
}
