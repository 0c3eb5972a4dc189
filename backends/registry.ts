/** The backends by name. */
import { invalid } from "../net/errors.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { alloc } from "./alloc.ts";
import type { Backend } from "./backend.ts";
import { dualStack } from "./dual.ts";
import { extension } from "./extension.ts";
import { hostGw } from "./host_gw.ts";
import { ipip } from "./ipip.ts";
import { ipsec } from "./ipsec.ts";
import { type BackendType, backendTypes } from "./types.ts";
import { udp } from "./udp.ts";
import { vxlan } from "./vxlan.ts";
import { wireguard } from "./wireguard.ts";

const backends: Readonly<Record<BackendType, Backend>> = {
  vxlan: dualStack(vxlan),
  wireguard,
  udp: dualStack(udp),
  "host-gw": dualStack(hostGw),
  ipip,
  ipsec,
  alloc: dualStack(alloc),
  extension,
};

/** Names that flannel knows, or knew, and this version of flan does not have. */
const flannels = [
  "ali-vpc",
  "aws-vpc",
  "gce",
  "tencent-vpc",
];

/** The backend of a network config's `Type`, in any case. Throws `invalid`; the hint holds a suggestion for a misspelling. */
export function backendFor(type: string): Backend {
  const name = type.toLowerCase();
  const known = backendTypes.find((type) => type === name);
  if (known !== undefined) return backends[known];
  const has = `this version has ${backendTypes.join(", ")}`;
  if (flannels.includes(name)) {
    throw invalid("backend.find", `Cannot use backend ${quoted(type)}: it is not in this version; ${has}`);
  }
  throw invalid(
    "backend.find",
    `Cannot use backend ${quoted(type)}: it is not known; ${has}`,
    didYouMean(name, [...backendTypes, ...flannels]),
  );
}
