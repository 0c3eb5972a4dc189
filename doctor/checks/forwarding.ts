/** Whether this host forwards its containers' packets: the sysctl, and what the packet filter does by policy. */
import { covers, type Family, formatCidr, parseCidr, parsePrefix } from "../../net/ip.ts";
import { forwardingSwitch, forwards } from "../../kernel/forwarding.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import { halvesOf, type NetworkFacts, sysctlOf } from "../facts.ts";
import { passes } from "../forward_chains.ts";

export const forwarding: Check = {
  name: "forwarding",
  judge({ network, kernel }) {
    return looked(
      [network, kernel],
      (net, there) =>
        halvesOf(net).flatMap(({ network: { family }, own }): Diagnosis[] => {
          const bridge = own === undefined ? undefined : linkIn(own, there.objects, net.devices);
          if (bridge === undefined || forwards(there.objects, family)) return [];
          const name = forwardingSwitch(family);
          return [diagnosis("forwarding-off", {
            subject: name,
            message: `This host forwards no IPv${family} packets, and containers on ${bridge} reach nobody`,
            remedy: `sysctl -w ${name}=1${also[family]}`,
          })];
        }),
    );
  },
};

/** A host that forwards IPv6 obeys no router advertisements any more, unless it is told to (ip-sysctl.rst). */
const also: Readonly<Record<Family, string>> = {
  4: "",
  6: "; where a router tells the default route, accept_ra=2 of its link first",
};

export const filter: Check = {
  name: "forward chains",
  judge({ network, kernel, dropping }) {
    return looked([network, kernel, dropping], (net, there, chains) => {
      const drops = chains.flatMap((chain) => judgeChain(chain, net));
      if (drops.length === 0) return [];
      return sysctlOf(there, "net/bridge/bridge-nf-call-iptables") !== "1" ? drops : [
        ...drops,
        diagnosis("bridge-netfilter", {
          subject: "net.bridge.bridge-nf-call-iptables",
          message: "Packets between containers on one bridge meet the packet filter, which drops by policy",
        }),
      ];
    });
  },
};

function judgeChain(chain: string, net: NetworkFacts): Diagnosis[] {
  const halves = halvesOf(net).filter(({ network: { family }, own }) =>
    own !== undefined && passes(chain, family)
  );
  if (halves.length === 0) return [];
  const cidrs = halves.map(({ network }) => formatCidr(network));
  const commands = halves.flatMap(({ network }) => {
    const program = network.family === 4 ? "iptables" : "ip6tables";
    return ["-s", "-d"].map((way) => `${program} -I FORWARD ${way} ${formatCidr(network)} -j ACCEPT`);
  });
  return [diagnosis("forward-drop", {
    subject: chain,
    message: `Chain ${chain} drops what is forwarded by policy, and lets nothing of ${
      cidrs.join(" or ")
    } through`,
    remedy: commands.join("; "),
  })];
}

/** The link that has an address in the host's own subnet: its containers' bridge. */
export function linkIn(
  own: string,
  objects: readonly KernelObject[],
  devices: readonly string[],
): string | undefined {
  const subnet = parseCidr(own);
  for (const object of objects) {
    if (object.kind !== "address" || devices.includes(object.link) || object.link === "lo") continue;
    if (covers(subnet, parsePrefix(object.address).cidr)) return object.link;
  }
  return undefined;
}
