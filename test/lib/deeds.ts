/** What an administrator or another program may do to the objects that flan made, and how the agent then tells of it. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { askProxy, showProxy } from "./ask_proxy.ts";
import type { Hosts, Member } from "./hosts.ts";
import type { Plane } from "./planes.ts";

export interface Deed {
  readonly name: string;
  /** Does it, and resolves to the number of the process that did. */
  readonly done: (hosts: Hosts, victim: LabHost, peer: Member) => Promise<number>;
  /** What the log line must name. */
  readonly repaired: RegExp;
  /** What the cause names instead of a process: of links and FDB entries the kernel does not say who it was. */
  readonly cause?: RegExp;
}

const gatewayOf = (peer: Member) => peer.subnet.split("/")[0]!;
/** What can be done to any backend's route, address and device. */
const common = ({ device, route }: Plane): readonly Deed[] => {
  const link = (name: string, ...lines: string[]): Deed => ({
    name,
    done: (hosts, victim) => hosts.ip(victim, ...lines),
    repaired: new RegExp(`link ${device}`),
    cause: new RegExp(`${device} (changed|deleted|was gone)|found by looking`),
  });
  return [
    {
      name: "deletes a route",
      done: (hosts, victim, peer) => hosts.ip(victim, `route delete ${route(peer.subnet)}`),
      repaired: new RegExp(`Repaired route \\S+ (via \\S+ )?dev ${device} `),
    },
    {
      name: "deletes the address",
      done: async (hosts, victim) => {
        const [shown] = await hosts.show(victim, "ip", `-4 address show dev ${device}`);
        const { local, prefixlen } = (shown!["addr_info"] as { local: string; prefixlen: number }[])[0]!;
        return await hosts.ip(victim, `address delete ${local}/${prefixlen} dev ${device}`);
      },
      repaired: new RegExp(`Repaired address \\S+ dev ${device}\\b`),
    },
    {
      ...link("sets the link down and up", `link set ${device} down`, `link set ${device} up`),
      repaired: /Repaired /,
    },
    link("sets the link down", `link set ${device} down`),
    link("deletes the link", `link delete ${device}`),
    link("renames the link", `link set ${device} down`, `link set ${device} name mine`, "link set mine up"),
    link("renames the link while it is up", `link set ${device} name mine`),
    link("changes the link's MTU", `link set ${device} mtu 1300`),
  ];
};

const nameless = /flan\.1 (changed|deleted|was gone)|found by looking/;
const ofVxlan: readonly Deed[] = [
  {
    name: "deletes a neighbour",
    done: (hosts, victim, peer) => hosts.ip(victim, `neighbour delete ${gatewayOf(peer)} dev flan.1`),
    repaired: /Repaired neighbour \S+ lladdr \S+ dev flan\.1 /,
  },
  {
    name: "gives a neighbour another MAC",
    done: (hosts, victim, peer) =>
      hosts.ip(victim, `neighbour replace ${gatewayOf(peer)} lladdr 02:00:00:00:00:99 dev flan.1`),
    repaired: /Repaired neighbour/,
  },
  {
    name: "deletes an FDB entry",
    done: async (hosts, victim, peer) => {
      const [entry] = (await hosts.show(victim, "bridge", "fdb show dev flan.1")).filter((row) =>
        row["dst"] === peer.host.address
      );
      return await hosts.bridge(victim, `fdb delete ${entry!["mac"]} dev flan.1`);
    },
    repaired: /Repaired FDB entry \S+ dst \S+ dev flan\.1 /,
    cause: nameless,
  },
  {
    name: "deletes a nexthop",
    done: async (hosts, victim, peer) => {
      const [nexthop] = (await hosts.show(victim, "ip", "nexthop show")).filter((row) =>
        row["gateway"] === gatewayOf(peer)
      );
      return await hosts.ip(victim, `nexthop delete id ${nexthop!["id"]}`);
    },
    repaired: /Repaired nexthop \S+ via \S+ dev flan\.1, route /,
  },
  {
    name: "changes the link's MAC",
    done: (hosts, victim) => hosts.ip(victim, "link set flan.1 address 02:00:00:00:00:77"),
    repaired: /link flan\.1/,
    cause: nameless,
  },
];

const ofUdp: readonly Deed[] = [
  {
    name: "kills the proxy",
    done: async (_, victim) => {
      const { pid } = (await showProxy(victim))!;
      Deno.kill(pid, "SIGKILL");
      return pid;
    },
    repaired: /Repaired proxy of flan0 at 192\.0\.2\.1:8285/,
    cause: /flan0|found by looking/,
  },
  {
    name: "deletes a route of the proxy",
    done: async (_, victim, peer) => {
      await askProxy(victim, { op: "change", put: [], remove: [peer.subnet] });
      return 0;
    },
    repaired: /Repaired proxy route \S+ to \S+:8285 /,
    cause: /flan0|found by looking/,
  },
];

/** Everything that is worth doing to a backend's objects, in an order in which it can be done. */
export function deedsTo(plane: Plane): readonly Deed[] {
  return [...common(plane), ...(plane.backend === "udp" ? ofUdp : ofVxlan)];
}
