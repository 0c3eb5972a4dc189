/** The UDP port and the VNI that the backend needs: whether somebody else has them. */
import type { KernelObject, Link, Vxlan } from "../../kernel/state.ts";
import { familyOf } from "../../net/ip.ts";
import { printable } from "../../net/text.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { KernelFacts, NetworkFacts, UdpSocket } from "../facts.ts";

export const ports: Check = {
  name: "port",
  judge({ network, kernel, udp }) {
    return looked([network, kernel, udp], ({ planned }, { objects }, sockets) =>
      planned.flatMap((one) => {
        const port = portInDoubt(one, objects);
        return [...rivalsOf(one, objects), ...(port === undefined ? [] : taken(port, sockets))];
      }));
  },
};

/** The ports whose sockets the check judges: who holds one is told only by a look at every process of the host. */
export function portsInDoubt({ planned }: NetworkFacts, { objects }: KernelFacts): readonly number[] {
  return planned.map((one) => portInDoubt(one, objects)).filter((port) => port !== undefined);
}

/** The UDP port that `planned` needs and that nothing like it has; undefined where it has it, or needs none. */
function portInDoubt(planned: KernelObject, objects: readonly KernelObject[]): number | undefined {
  if (planned.kind === "proxy") {
    // The proxy that runs is asked for by its socket, and stands among the objects.
    const { port, link } = planned;
    return objects.some((one) => one.kind === "proxy" && one.link === link && one.port === port)
      ? undefined
      : port;
  }
  if (planned.kind === "encap-socket") {
    // As the proxy.
    return objects.some((one) => one.kind === "encap-socket" && one.port === planned.port)
      ? undefined
      : planned.port;
  }
  if (planned.kind !== "link") return undefined;
  const { name, vxlan, wireguard } = planned;
  if (vxlan !== undefined) {
    // The socket of a device that is up is the kernel's own.
    return sharing(vxlan, objects).some(({ up }) => up) ? undefined : vxlan.port;
  }
  if (wireguard === undefined) return undefined;
  // The socket of a device that is there is its own.
  const { listenPort } = wireguard;
  const isOurs = linksOf(objects).some((one) =>
    one.name === name && one.wireguard?.listenPort === listenPort
  );
  return isOurs ? undefined : listenPort;
}

function rivalsOf(planned: KernelObject, objects: readonly KernelObject[]): Diagnosis[] {
  if (planned.kind !== "link" || planned.vxlan === undefined) return [];
  const { name, vxlan: { vni, port } } = planned;
  const rival = sharing(planned.vxlan, objects).find((one) => one.name !== name && one.vxlan!.vni === vni);
  return rival === undefined ? [] : [diagnosis("vni-taken", {
    subject: rival.name,
    message: `Link ${
      printable(rival.name)
    } has VNI ${vni} on port ${port}, which the network needs for ${name}`,
    remedy: `ip link delete ${rival.name}, or flan config set Backend.VNI`,
  })];
}

/**
 * The VXLAN devices on the same port: the kernel lets them share it as long as their VNIs differ, and no program with them.
 * Those of IPv4 and of IPv6 do not meet.
 */
function sharing({ port, local }: Vxlan, objects: readonly KernelObject[]): readonly Link[] {
  return linksOf(objects).filter(({ vxlan }) =>
    vxlan?.port === port && familyOf(vxlan.local) === familyOf(local)
  );
}

function linksOf(objects: readonly KernelObject[]): readonly Link[] {
  return objects.filter((one): one is Link => one.kind === "link");
}

function taken(port: number, sockets: readonly UdpSocket[]): Diagnosis[] {
  const socket = sockets.find((one) => one.port === port);
  if (socket === undefined) return [];
  const who = socket.holder === undefined ? "another program" : printable(socket.holder);
  return [diagnosis("port-taken", {
    subject: `udp/${port}`,
    message: `UDP port ${port} is taken by ${who} at ${socket.address}`,
  })];
}
