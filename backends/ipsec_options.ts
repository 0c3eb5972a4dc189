/** The options of the ipsec backend: flannel's, as far as they mean something without an IKE daemon. */
import { fingerprint } from "../net/fingerprint.ts";
import { OptionReader, type RawOptions } from "./options.ts";

export interface IpsecOptions {
  /** The secret that all keys are derived from; undefined where the network has none that can be used. */
  readonly presharedKey: { readonly bytes: Uint8Array; readonly fingerprint: string } | undefined;
  /** Milliseconds after which keys change. */
  readonly span: number;
  /** Whether ESP goes in UDP (RFC 3948). */
  readonly isInUdp: boolean;
}

/** As flannel has it. */
const LEAST_CHARACTERS = 96;
const MOST_CHARACTERS = 4096;

/**
 * A day: an agent may be away for that long until its host is not heard any more. Sooner would make nothing safer: whoever
 * has the pre-shared key has all keys, and of one key 2^64 packets may be sent.
 */
const DEFAULT_REKEY_S = 24 * 3600;
/** Two hosts' clocks may differ by less than that, and an agent may be late. */
const LEAST_REKEY_S = 10;
const MOST_REKEY_S = 365 * 24 * 3600;

const known = ["psk", "rekeyseconds", "udpencap", "espproposal"];

/** The options, and what is wrong with them. */
export function readIpsecOptions(raw: RawOptions): { options: IpsecOptions; read: OptionReader } {
  const read = new OptionReader(raw, { backend: "ipsec", known });
  const psk = read.secret("psk", {
    read: readSecret,
    needed: `a text of at least ${LEAST_CHARACTERS} characters`,
  });
  if (psk === undefined && read.problems.length === 0) {
    read.problems.push("PSK is missing: all keys are derived from it");
  }
  const isInUdp = read.flag("udpencap");
  const proposal = read.keyOf("espproposal");
  if (proposal !== undefined) read.ignored(proposal, "is ignored: packets are encrypted with AES-128-GCM-16");
  const seconds = read.integer("rekeyseconds", { least: LEAST_REKEY_S, most: MOST_REKEY_S, zero: true });
  const presharedKey = psk && { bytes: psk, fingerprint: fingerprint(psk) };
  return { options: { presharedKey, span: (seconds ?? DEFAULT_REKEY_S) * 1000, isInUdp }, read };
}

function readSecret(text: string): Uint8Array | undefined {
  if (text.length < LEAST_CHARACTERS || text.length > MOST_CHARACTERS) return undefined;
  return new TextEncoder().encode(text);
}
