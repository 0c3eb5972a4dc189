/** A kernel together with WireGuard's settings, the kernel's own or a program's: its devices and peers are objects like all others. */
import type { Kernel } from "../kernel/kernel.ts";
import { isWireguards } from "../kernel/relations.ts";
import { inStretches } from "../kernel/stretches.ts";
import { wrapped } from "../kernel/wrapped.ts";
import { WireguardChanges } from "./changes.ts";
import { type WireguardInit, WireguardSight } from "./sight.ts";

/** Links of kind `tun` that a program made are of kind `wireguard` here. */
export function openWireguardKernel(kernel: Kernel, init: WireguardInit): Kernel {
  const { native, program } = init;
  /** Endpoints by peer, as they were given last. */
  const told = new Map<string, string>();
  const sight = new WireguardSight(init, told);
  return wrapped(kernel, {
    require: async (features) => {
      const rest = features.filter((feature) => feature !== "wireguard");
      if (rest.length === features.length || native.isThere()) return await kernel.require(rest);
      program.require();
      await kernel.require([...rest, "tun"]);
    },
    dump: async (request) => await sight.whole(await kernel.dump(request), request),
    apply: (changes) => {
      const mine = new WireguardChanges({ ...init, kernel, told });
      return inStretches(changes, {
        isMine: ({ object }) => isWireguards(object),
        mine: (stretch) => mine.run(stretch),
        others: (stretch) => kernel.apply(stretch),
      });
    },
    close: () => {
      native.close();
      kernel.close();
    },
  });
}
