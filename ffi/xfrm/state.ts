/** Security associations: `struct xfrm_usersa_info` (linux/xfrm.h) with AES-GCM in ESP (RFC 4106). */
import type { XfrmState } from "../../kernel/xfrm.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { IPSEC_KEY_BYTES } from "../../net/ipsec_key.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import { makeFlags, NLM_F_REQUEST } from "../rtnetlink/constants.ts";
import {
  addressAt,
  IPPROTO_ESP,
  SA_ID_LENGTH,
  SA_LENGTH,
  Struct,
  XFRM_MODE_TUNNEL,
  XFRM_MSG_DELSA,
  XFRM_MSG_NEWSA,
  XFRMA_ALG_AEAD,
  XFRMA_ENCAP,
  XFRMA_IF_ID,
  XFRMA_REPLAY_ESN_VAL,
} from "./constants.ts";

/** `struct xfrm_algo_aead`: name, bits of key and of tag; then the key. */
const ALGORITHM_LENGTH = 72;
const ALGORITHM = "rfc4106(gcm(aes))";
const TAG_BITS = 128;
/** `struct xfrm_encap_tmpl { u16 type; be16 sport, dport; xfrm_address_t oa; }`: 0, 2, 4, 8. */
const ENCAP_LENGTH = 24;
export const UDP_ENCAP_ESPINUDP = 2; // linux/udp.h
const XFRM_STATE_ESN = 128;
/** Packets by which one may come late, a multiple of 32. */
const REPLAY_WINDOW = 1024;

const policy = new Policy({ [XFRMA_ALG_AEAD]: "bytes", [XFRMA_ENCAP]: "bytes", [XFRMA_IF_ID]: "u32" });

/** XFRM_MSG_NEWSA. There is no changing of one: with the same key its counter would begin anew. */
export function encodeState(
  state: XfrmState,
  { message, key, window = REPLAY_WINDOW }: { message: MessageBuilder; key: Uint8Array; window?: number },
): void {
  const head = new Struct(SA_LENGTH);
  const family = head.address(56, state.destination);
  head.be32(72, state.spi);
  head.u8(76, IPPROTO_ESP);
  head.address(80, state.source);
  head.noLimits(96);
  head.u32(208, state.requestId);
  head.u16(212, family);
  head.u8(214, XFRM_MODE_TUNNEL);
  head.u8(216, XFRM_STATE_ESN);
  message.start({ type: XFRM_MSG_NEWSA, flags: makeFlags.add }, head.bytes);
  const algorithm = new Struct(ALGORITHM_LENGTH + IPSEC_KEY_BYTES);
  algorithm.bytes.set(new TextEncoder().encode(ALGORITHM));
  algorithm.u32(64, IPSEC_KEY_BYTES * 8);
  algorithm.u32(68, TAG_BITS);
  algorithm.bytes.set(key, ALGORITHM_LENGTH);
  message.put(XFRMA_ALG_AEAD, algorithm.bytes);
  algorithm.bytes.fill(0);
  // struct xfrm_replay_state_esn { u32 bmp_len, oseq, seq, oseq_hi, seq_hi, replay_window; u32 bmp[]; }
  const replay = new Struct(24 + REPLAY_WINDOW / 8);
  replay.u32(0, REPLAY_WINDOW / 32);
  replay.u32(20, window);
  message.put(XFRMA_REPLAY_ESN_VAL, replay.bytes);
  message.putU32(XFRMA_IF_ID, state.interfaceId);
  if (state.encapPort !== undefined) message.put(XFRMA_ENCAP, encapBytes(state.encapPort));
}

function encapBytes(port: number): Uint8Array<ArrayBuffer> {
  const template = new Struct(ENCAP_LENGTH);
  template.u16(0, UDP_ENCAP_ESPINUDP);
  template.be16(2, port);
  template.be16(4, port);
  return template.bytes;
}

/**
 * Asks for a state whose replay window is larger than the room for it, on this host itself. A kernel that has the cipher and ESP refuses that with
 * EINVAL, when it has found both (xfrm_state_construct in net/xfrm/xfrm_user.c), and another one with what it lacks.
 */
export function encodeImpossibleState(message: MessageBuilder): void {
  const state: XfrmState = {
    kind: "xfrm-state",
    source: "127.0.0.1",
    destination: "127.0.0.1",
    spi: 0x80000000,
    requestId: 1,
    interfaceId: 1,
    key: "",
  };
  encodeState(state, { message, key: new Uint8Array(IPSEC_KEY_BYTES), window: 2 * REPLAY_WINDOW });
}

/** XFRM_MSG_DELSA. */
export function encodeStateDelete({ destination, spi }: XfrmState, message: MessageBuilder): void {
  const id = new Struct(SA_ID_LENGTH);
  const family = id.address(0, destination);
  id.be32(16, spi);
  id.u16(20, family);
  id.u8(22, IPPROTO_ESP);
  message.start({ type: XFRM_MSG_DELSA, flags: NLM_F_REQUEST }, id.bytes);
}

/** The state of a message, or undefined where it is none that flan makes. Only root is told the key. */
export function decodeState(parser: MessageParser, message: MessageBounds): XfrmState | undefined {
  if (!parser.parse(message, SA_LENGTH, policy)) return undefined;
  const family = parser.headU16(message, 212);
  if ((family !== 2 && family !== 10) || parser.headU8(message, 76) !== IPPROTO_ESP) return undefined;
  const head = parser.bytes.subarray(message.offset + 16);
  const algorithm = parser.data(XFRMA_ALG_AEAD);
  const encap = parser.data(XFRMA_ENCAP);
  return {
    kind: "xfrm-state",
    source: addressAt(head, 80, family),
    destination: addressAt(head, 56, family),
    spi: new DataView(head.buffer, head.byteOffset).getUint32(72, false),
    requestId: parser.headU32(message, 208),
    interfaceId: parser.u32(XFRMA_IF_ID) ?? 0,
    ...(encap === undefined ? {} : { encapPort: encapPortIn(encap) }),
    key: algorithm === undefined || algorithm.length < ALGORITHM_LENGTH
      ? ""
      : fingerprint(algorithm.slice(ALGORITHM_LENGTH)),
  };
}

/** 0 for another encapsulation than flan's. */
function encapPortIn(template: Uint8Array): number {
  const view = new DataView(template.buffer, template.byteOffset, template.length);
  if (template.length < ENCAP_LENGTH || view.getUint16(0, true) !== UDP_ENCAP_ESPINUDP) return 0;
  const port = view.getUint16(2);
  return view.getUint16(4) === port ? port : 0;
}
