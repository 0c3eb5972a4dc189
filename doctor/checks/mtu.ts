/** Whether a packet that fits the containers' bridge fits flan's device, and one that fits there the underlay. */
import type { Link } from "../../kernel/state.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { NetworkFacts } from "../facts.ts";
import { linkIn } from "./forwarding.ts";

export const mtu: Check = {
  name: "MTU",
  judge({ network, kernel }) {
    return looked([network, kernel], (net, { objects }) => {
      if (net.mtu === undefined) return [];
      const links = objects.filter((one): one is Link => one.kind === "link");
      const bridge = net.own === undefined ? undefined : linkIn(net.own, objects, net.devices);
      return [
        ...net.planned.flatMap((one) => one.kind === "link" ? judgeDevice(one, { links, ...net }) : []),
        ...judgeBridge(links.find(({ name, type }) => name === bridge && type === "bridge"), net.mtu),
      ];
    });
  },
};

function judgeDevice(
  { name, mtu }: Link,
  { links, underlay }: Pick<NetworkFacts, "underlay"> & { links: readonly Link[] },
): Diagnosis[] {
  const device = links.find((one) => one.name === name);
  if (device === undefined || device.mtu === mtu) return [];
  const under = underlay === undefined ? "" : `, underlay ${underlay.link} has ${underlay.mtu}`;
  return [diagnosis("mtu-mismatch", {
    subject: device.name,
    message: `Link ${device.name} has MTU ${device.mtu} where ${mtu} is right${under}`,
    remedy: `ip link set dev ${device.name} mtu ${mtu}`,
  })];
}

function judgeBridge(bridge: Link | undefined, mtu: number): Diagnosis[] {
  if (bridge === undefined || bridge.mtu <= mtu) return [];
  return [diagnosis("bridge-mtu", {
    subject: bridge.name,
    message: `Bridge ${bridge.name} has MTU ${bridge.mtu}, and the network carries ${mtu}`,
    remedy: `ip link set dev ${bridge.name} mtu ${mtu}; subnet.env says it to CNI plugins and Docker`,
  })];
}
