/** The options of the vxlan backend, as flannel documents them, and flan's own `Mode`. */
import { invalid } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";

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
}

/** What was read, the sentence for each option that is ignored, and for each that cannot be used. */
export interface ReadOptions {
  readonly options: VxlanOptions;
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

/** The Linux kernel's own default (drivers/net/vxlan: `udp_port`), which flannel keeps; not IANA's 4789. */
const DEFAULT_PORT = 8472;

/** RFC 7348: the VNI has 24 bits. */
export const MAX_VNI = 0xffffff;

/** Smallest underlay whose overlay carries what every IPv4 host must accept (RFC 791: 576). */
const MIN_UNDERLAY_MTU = 626;

type Values = Map<string, { readonly key: string; readonly value: Json }>;

const known = ["vni", "port", "mtu", "gbp", "learning", "mode", "directrouting", "macprefix", "name"];

/** Reads the options; keys count in any case, as in Go's JSON decoder, and the last one of a name wins. */
export function readVxlanOptions(raw: { readonly [key: string]: Json }): ReadOptions {
  const values: Values = new Map();
  const notes: string[] = [];
  for (const [key, value] of Object.entries(raw)) {
    if (known.includes(key.toLowerCase())) values.set(key.toLowerCase(), { key, value });
    else notes.push(`The vxlan option ${quoted(key)} is not known to this version and is ignored`);
  }
  const problems: string[] = [];
  const options: VxlanOptions = {
    vni: integer(values, "vni", { least: 1, most: MAX_VNI, problems }) ?? 1,
    port: integer(values, "port", { least: 1, most: 65535, zero: true, problems }) ?? DEFAULT_PORT,
    underlayMtu: integer(values, "mtu", { least: MIN_UNDERLAY_MTU, most: 65535, zero: true, problems }),
    gbp: flag(values, "gbp", problems),
    learning: flag(values, "learning", problems),
    onDemand: mode(values, problems),
  };
  if (flag(values, "directrouting", problems)) {
    notes.push("The vxlan option DirectRouting is ignored by this version: every peer is reached by VXLAN");
  }
  for (const name of ["macprefix", "name"]) {
    const given = values.get(name);
    if (given) notes.push(`The vxlan option ${given.key} concerns Windows hosts only and is ignored`);
  }
  return { options, notes, problems };
}

/** The options, or `invalid` with every key and value that cannot be used. */
export function vxlanOptions(raw: { readonly [key: string]: Json }): VxlanOptions {
  const { options, problems } = readVxlanOptions(raw);
  if (problems.length > 0) {
    throw invalid("backend.check", `Cannot use the vxlan options: ${problems.join("; ")}`);
  }
  return options;
}

function integer(
  values: Values,
  name: string,
  rule: { least: number; most: number; zero?: boolean; problems: string[] },
): number | undefined {
  const given = values.get(name);
  if (given === undefined || given.value === null || (rule.zero && given.value === 0)) return undefined;
  const { key, value } = given;
  if (typeof value !== "number" || !Number.isInteger(value) || value < rule.least || value > rule.most) {
    rule.problems.push(`${key} is ${quoted(value)} but ${rule.least} to ${rule.most} is needed`);
    return undefined;
  }
  return value;
}

function flag(values: Values, name: string, problems: string[]): boolean {
  const given = values.get(name);
  if (given === undefined || given.value === null) return false;
  if (typeof given.value !== "boolean") {
    problems.push(`${given.key} is ${quoted(given.value)} but true or false is needed`);
    return false;
  }
  return given.value;
}

function mode(values: Values, problems: string[]): boolean {
  const given = values.get("mode");
  if (given === undefined || given.value === null) return false;
  if (given.value !== "all" && given.value !== "on-demand") {
    problems.push(`${given.key} is ${quoted(given.value)} but "all" or "on-demand" is needed`);
  }
  return given.value === "on-demand";
}
