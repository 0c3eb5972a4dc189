/** Whether this host forwards its containers' packets: the sysctl, and what the packet filter does by policy. */
import { covers, formatCidr, parseCidr, parsePrefix } from "../../net/ip.ts";
import type { KernelObject } from "../../kernel/state.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import { sysctlOf } from "../facts.ts";

export const forwarding: Check = {
  name: "forwarding",
  judge({ network, kernel }) {
    return looked([network, kernel], ({ own, device }, there) => {
      const bridge = own === undefined ? undefined : linkIn(own, there.objects, device);
      if (bridge === undefined || sysctlOf(there, "net/ipv4/ip_forward") !== "0") return [];
      return [diagnosis("forwarding-off", {
        subject: "net.ipv4.ip_forward",
        message: `This host forwards no IPv4 packets, and containers on ${bridge} reach nobody`,
      })];
    });
  },
};

export const filter: Check = {
  name: "forward chains",
  judge({ network, kernel, dropping }) {
    return looked([network, kernel, dropping], ({ config, own }, there, chains) => {
      if (own === undefined || chains.length === 0) return [];
      const cidr = formatCidr(config.network);
      const drops = chains.map((chain): Diagnosis =>
        diagnosis("forward-drop", {
          subject: chain,
          message: `Chain ${chain} drops what is forwarded by policy, and lets nothing of ${cidr} through`,
          remedy: `iptables -I FORWARD -s ${cidr} -j ACCEPT; iptables -I FORWARD -d ${cidr} -j ACCEPT`,
        })
      );
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

/** The link that has an address in the host's own subnet: its containers' bridge. */
export function linkIn(own: string, objects: readonly KernelObject[], device: string): string | undefined {
  const subnet = parseCidr(own);
  for (const object of objects) {
    if (object.kind !== "address" || object.link === device || object.link === "lo") continue;
    if (covers(subnet, parsePrefix(object.address).cidr)) return object.link;
  }
  return undefined;
}
