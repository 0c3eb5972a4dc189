/** flannel's store keys: the subnet `10.5.1.0/24` is the key `10.5.1.0-24`. */
import { invalid } from "../net/errors.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import { quoted } from "../net/text.ts";

/** flannel keeps an IPv4 length in five bits, so a /32 cannot be read back by it. */
const LONGEST = 31;

/** The key of a subnet. Throws `invalid` for anything but an IPv4 network of at most 31 bits. */
export function subnetKey(subnet: string): string {
  const cidr = parseCidr(subnet);
  if (cidr.family !== 4 || cidr.length > LONGEST) {
    throw invalid(
      "lease.key",
      `Cannot make a store key of ${quoted(subnet)}: an IPv4 subnet of at most ${LONGEST} bits is needed`,
    );
  }
  return formatCidr(cidr).replace("/", "-");
}

/**
 * The subnet of a key. Throws `invalid` for anything that {@link subnetKey} does not write, host bits and
 * dual-stack keys (`10.5.1.0-24&fd00::-64`) included.
 */
export function keySubnet(key: string): string {
  if (key.includes("&")) throw bad(key, "dual-stack leases are not carried by this version");
  const dash = key.indexOf("-");
  if (dash < 0 || key.length > 18) throw bad(key, "the form 10.5.1.0-24 is needed");
  const subnet = `${key.slice(0, dash)}/${key.slice(dash + 1)}`;
  const cidr = parseCidr(subnet);
  if (cidr.length > LONGEST) throw bad(key, `the length must be 0 to ${LONGEST}`);
  return subnet;
}

/** Whether the key has flannel's dual-stack form. */
export function isDualStackKey(key: string): boolean {
  return key.includes("&");
}

function bad(key: string, why: string): Error {
  return invalid("lease.key", `Cannot use lease key ${quoted(key)}: ${why}`);
}
