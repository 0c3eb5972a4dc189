/** The options of the udp backend: flannel's `Port`, and flan's own. */
import { MAX_QUEUES } from "../kernel/state.ts";
import { OptionReader, type RawOptions } from "./options.ts";

export interface UdpOptions {
  /** Where this host listens and, because leases do not tell it, where every peer is taken to listen, too. */
  readonly port: number;
  /** Whether a packet must come from the host that owns its source's subnet. */
  readonly checkSource: boolean;
  /** Queues of the TUN device, each with threads and a socket of its own. */
  readonly queues: number;
}

/** flannel's default. */
const DEFAULT_PORT = 8285;

const known = ["port", "checksource", "queues"];

/** The options, and what is wrong with them: what cannot be used has its default. */
export function readUdpOptions(raw: RawOptions): { options: UdpOptions; read: OptionReader } {
  const read = new OptionReader(raw, { backend: "udp", known });
  const options: UdpOptions = {
    port: read.integer("port", { least: 1, most: 65535 }) ?? DEFAULT_PORT,
    checkSource: read.flag("checksource", true),
    queues: read.integer("queues", { least: 1, most: MAX_QUEUES }) ?? 1,
  };
  return { options, read };
}
