/** flan's own planes: two hosts that have joined, and leases of others that are not there. */
import { writeStore } from "../converge.ts";
import type { Pair } from "./pair.ts";
import type { Plane } from "./plane.ts";

/** A plane of flan with so many routes, of which all but one lead to hosts that are not there. */
export function flan(
  backend: string,
  { name, about, routes, measures }: Omit<Plane, "make"> & { routes: number },
): Plane {
  const make = async (pair: Pair) => {
    const network = { Network: "10.0.0.0/8", SubnetLen: 24, Backend: { Type: backend } };
    writeStore(`${pair.directory}/network.json`, routes - 1, network);
    for (const host of pair.hosts) await join(pair, host);
    const known = ["status", "--wait", "--timeout", "30s", "--peers", String(routes)];
    for (const host of pair.hosts) await pair.flan(host, known);
    const subnet = await pair.flan(pair.to, ["lease", "get", "-o", "value=subnet"]);
    return subnet.trim().replace(/\/\d+$/, "");
  };
  return { name, about, measures, make };
}

/** Starts the agent of a host; resolves when its network is ready. */
export async function join(pair: Pair, host: Pair["from"]): Promise<void> {
  await pair.flan(host, ["up", "--detach", "--iface", "eth0"]);
}
