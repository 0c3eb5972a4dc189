/** The options of the vxlan backend, as flannel documents them, and flan's own `Mode`. */
import { OptionReader, type RawOptions } from "./options.ts";

export interface VxlanOptions {
  /** VXLAN network identifier, 1 to 16777215. */
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
  /** MTU of the underlay, or undefined to take the host's own. */
  readonly underlayMtu: number | undefined;
  readonly gbp: boolean;
  readonly learning: boolean;
  /** Whether entries are made only for addresses that the kernel asks for. */
  readonly onDemand: boolean;
  /** Whether peers on the underlay's own link get a plain route instead of the tunnel. */
  readonly directRouting: boolean;
}

/** The Linux kernel's own default (drivers/net/vxlan: `udp_port`), which flannel keeps; not IANA's 4789. */
const DEFAULT_PORT = 8472;

/** RFC 7348: the VNI has 24 bits. */
export const MAX_VNI = 0xffffff;

/** Smallest underlay whose overlay carries what every IPv4 host must accept (RFC 791: 576). For IPv6 more is needed, see `mtu.ts`. */
const MIN_UNDERLAY_MTU = 626;

const known = ["vni", "port", "mtu", "gbp", "learning", "mode", "directrouting", "macprefix", "name"];

/** The options, and what is wrong with them: what cannot be used has its default. */
export function readVxlanOptions(raw: RawOptions): { options: VxlanOptions; read: OptionReader } {
  const read = new OptionReader(raw, { backend: "vxlan", known });
  const options: VxlanOptions = {
    vni: read.integer("vni", { least: 1, most: MAX_VNI }) ?? 1,
    port: read.integer("port", { least: 1, most: 65535, zero: true }) ?? DEFAULT_PORT,
    underlayMtu: read.integer("mtu", { least: MIN_UNDERLAY_MTU, most: 65535, zero: true }),
    gbp: read.flag("gbp"),
    learning: read.flag("learning"),
    onDemand: read.word("mode", ["all", "on-demand"]) === "on-demand",
    directRouting: read.flag("directrouting"),
  };
  for (const name of ["macprefix", "name"]) {
    const key = read.keyOf(name);
    if (key !== undefined) read.ignored(key, "concerns Windows hosts only and is ignored");
  }
  return { options, read };
}

/** The options, or `invalid` with every key and value that cannot be used. */
export function vxlanOptions(raw: RawOptions): VxlanOptions {
  const { options, read } = readVxlanOptions(raw);
  read.requireUsable();
  return options;
}
