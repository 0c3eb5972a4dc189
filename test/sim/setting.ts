/** The network that is simulated. */

export const PREFIX = "/coreos.com/network";
/** Seconds. */
export const TTL = 60;
export const network = {
  Network: "10.5.0.0/16",
  SubnetMin: "10.5.1.0",
  SubnetMax: "10.5.250.0",
};

/** The backend of most of the time of a run. */
export function backendOf(seed: number): "udp" | "vxlan" {
  return seed % 5 === 3 ? "udp" : "vxlan";
}
