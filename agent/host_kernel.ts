/** The kernel of this host. A file of its own, so that commands that only look need not load an agent. */
import { NativeWireguard } from "../ffi/wireguard_devices.ts";
import { openKernel } from "../ffi/netlink_kernel.ts";
import { runNft } from "../ffi/nftables.ts";
import { requireProxyLibrary } from "../ffi/proxy.ts";
import { openFirewalledKernel } from "../firewall/firewalled_kernel.ts";
import { findLeftBehind, removeLeftBehind } from "../firewall/left_behind.ts";
import type { InIptables } from "../firewall/iptables_rules.ts";
import { ip6tablesPrograms, iptablesPrograms } from "../firewall/programs.ts";
import { openHookedKernel } from "../hooks/hooked_kernel.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Owner } from "../kernel/ownership.ts";
import type { Secrets } from "../kernel/secrets.ts";
import type { KernelObject } from "../kernel/state.ts";
import type { Clock } from "../net/clock.ts";
import type { FlanError } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { NativeXfrm } from "../ffi/xfrm_tables.ts";
import { encapSockets } from "../ffi/encap_socket.ts";
import { EncapHolder } from "../ipsec/encap_holder.ts";
import { openEncapKernel } from "../ipsec/encap_kernel.ts";
import { openIpsecKernel } from "../ipsec/ipsec_kernel.ts";
import { ENCAP_PORT } from "../kernel/xfrm.ts";
import type { KeyLedger } from "../kernel/xfrm_tables.ts";
import { openProgram } from "../wireguard/program.ts";
import { openWireguardKernel } from "../wireguard/wireguard_kernel.ts";
import { openProxiedKernel, type ProxiedInit } from "../proxy/proxied_kernel.ts";
import { requireNetAdmin } from "./capability.ts";
import type { Family } from "../net/ip.ts";

export type { InIptables };

/** How a proxy is found, and started where the network needs one. */
export interface ProxyPlace extends Pick<ProxiedInit, "runDir" | "version"> {
  /** Starts the one that carries a family, and resolves when it can be asked. Throws FlanError. */
  readonly spawn: (family: Family) => Promise<void>;
}

const iptables = { iptables: iptablesPrograms, ip6tables: ip6tablesPrograms };

/** Without the capability the library writes a line of its own to stderr before it fails. Throws `not-permitted` first. */
function permittedNft(commands: string): string {
  requireNetAdmin("look at the packet filter");
  return runNft(commands);
}

/** Takes away what an earlier run left in iptables that {@link openHost}'s kernel does not show. Throws FlanError. */
export function removeFromIptables(owner: Owner, log: Logger): Promise<readonly KernelObject[]> {
  return removeLeftBehind(iptables, { owner, log });
}

/** What any flan left in iptables, with the lines that remove it: of each program that has some. */
export function findInIptables(log: Logger): Promise<readonly InIptables[]> {
  return findLeftBehind(iptables, log);
}

/** What a look at the host tells beside what it sees. */
export interface Seeing extends Pick<ProxiedInit, "log" | "unseen"> {
  /** Told why the packet filter cannot be seen. */
  readonly unseenFirewall?: (error: Error) => void;
  /** Told why WireGuard's devices cannot be seen. */
  readonly unseenWireguard?: (error: Error) => void;
  /** Told why IPsec's states and policies cannot be seen. */
  readonly unseenIpsec?: (error: FlanError) => void;
  /** Told why it cannot be seen what the network's commands did. */
  readonly unseenHooks?: (error: FlanError) => void;
  /** Told at each look that sees it. */
  readonly seenHooks?: () => void;
}

/**
 * The kernel of this network namespace, packet filter, WireGuard and IPsec included, with the proxy and the hooks of a run
 * directory. Nothing changes in it. `runsHooks` is the leave to run the commands of the network.
 */
export function openHost(
  place: ProxyPlace,
  {
    clock,
    runsHooks,
    secrets,
    ledger,
    unseenFirewall,
    unseenHooks,
    seenHooks,
    unseenWireguard,
    unseenIpsec,
    ...seeing
  }: {
    clock: Clock;
    runsHooks: boolean;
    secrets: Secrets;
    ledger: KeyLedger;
  } & Seeing,
): Kernel {
  const wireguarded = openWireguardKernel(openKernel({ clock }), {
    clock,
    secrets,
    native: new NativeWireguard({ clock }),
    program: openProgram({ runDir: place.runDir, clock }),
    unseen: unseenWireguard,
  });
  const ipseced = openIpsecKernel(wireguarded, {
    secrets,
    ledger,
    tables: new NativeXfrm({ clock }),
    unseen: unseenIpsec,
  });
  const encapsulated = openEncapKernel(
    ipseced,
    new EncapHolder({ runDir: place.runDir, port: ENCAP_PORT, clock, sockets: encapSockets }),
  );
  const firewalled = openFirewalledKernel(encapsulated, {
    nft: permittedNft,
    ...iptables,
    unseen: unseenFirewall,
    log: seeing.log,
  });
  const proxied = ([4, 6] as const).reduce((kernel, family) =>
    openProxiedKernel(kernel, {
      ...place,
      ...seeing,
      family,
      spawn: () => place.spawn(family),
      clock,
      requireProxy: requireProxyLibrary,
    }), firewalled);
  const file = `${place.runDir}/hooks.json`;
  return openHookedKernel(proxied, {
    file,
    clock,
    allowed: runsHooks,
    log: seeing.log,
    unseen: unseenHooks,
    seen: seenHooks,
  });
}
