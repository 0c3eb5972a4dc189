/** The UDP port and the VNI that the backend needs: whether somebody else has them. */
import type { KernelObject, Link, Proxy } from "../../kernel/state.ts";
import { familyOf } from "../../net/ip.ts";
import { printable } from "../../net/text.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { UdpSocket } from "../facts.ts";

export const ports: Check = {
  name: "port",
  judge({ network, kernel, udp }) {
    return looked([network, kernel, udp], ({ planned }, { objects }, sockets) => {
      const there = objects.filter((one): one is Link => one.kind === "link");
      return planned.flatMap((one) =>
        one.kind === "link" && one.vxlan !== undefined
          ? judgeVxlan(one, { there, sockets })
          : one.kind === "link" && one.wireguard !== undefined
          ? judgeWireguard(one, { there, sockets })
          : one.kind === "proxy"
          ? judgeProxy(one, { objects, sockets })
          : []
      );
    });
  },
};

/** VXLAN devices share a port in the kernel, as long as their VNIs differ; no program shares it with them. */
function judgeVxlan(
  { name, vxlan }: Link,
  { there, sockets }: { there: readonly Link[]; sockets: readonly UdpSocket[] },
): Diagnosis[] {
  const { vni, port, local } = vxlan!;
  // Those of IPv4 and of IPv6 do not meet.
  const onPort = there.filter((one) =>
    one.vxlan?.port === port && familyOf(one.vxlan.local) === familyOf(local)
  );
  const rival = onPort.find((one) => one.name !== name && one.vxlan!.vni === vni);
  const found = rival === undefined ? [] : [diagnosis("vni-taken", {
    subject: rival.name,
    message: `Link ${
      printable(rival.name)
    } has VNI ${vni} on port ${port}, which the network needs for ${name}`,
    remedy: `ip link delete ${rival.name}, or flan config set Backend.VNI`,
  })];
  // The socket of a device that is up is the kernel's own.
  if (onPort.some(({ up }) => up)) return found;
  return [...found, ...taken(port, sockets)];
}

/** The socket of a device that is there is its own. */
function judgeWireguard(
  { name, wireguard }: Link,
  { there, sockets }: { there: readonly Link[]; sockets: readonly UdpSocket[] },
): Diagnosis[] {
  const { listenPort } = wireguard!;
  const isOurs = there.some((one) => one.name === name && one.wireguard?.listenPort === listenPort);
  return isOurs ? [] : taken(listenPort, sockets);
}

/** The proxy that runs is asked for by its socket, and stands among the objects. */
function judgeProxy(
  { port, link }: Proxy,
  { objects, sockets }: { objects: readonly KernelObject[]; sockets: readonly UdpSocket[] },
): Diagnosis[] {
  const isOurs = objects.some((one) => one.kind === "proxy" && one.link === link && one.port === port);
  return isOurs ? [] : taken(port, sockets);
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
