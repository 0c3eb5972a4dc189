/** The network that is simulated. */

export const PREFIX = "/coreos.com/network";
/** Seconds. */
export const TTL = 60;
export const network = {
  Network: "10.5.0.0/16",
  SubnetMin: "10.5.1.0",
  SubnetMax: "10.5.250.0",
  Backend: { Type: "vxlan" },
};
