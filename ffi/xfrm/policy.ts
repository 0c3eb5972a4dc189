/** Security policies: `struct xfrm_userpolicy_info` and its template, `struct xfrm_user_tmpl` (linux/xfrm.h). */
import type { Change } from "../../kernel/kernel.ts";
import type { XfrmPolicy } from "../../kernel/xfrm.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import { makeFlags, NLM_F_REQUEST } from "../rtnetlink/constants.ts";
import {
  addressAt,
  directions,
  IPPROTO_ESP,
  POLICY_ID_LENGTH,
  POLICY_LENGTH,
  SELECTOR_LENGTH,
  selectorAt,
  Struct,
  XFRM_MODE_TRANSPORT,
  XFRM_MODE_TUNNEL,
  XFRM_MSG_DELPOLICY,
  XFRM_MSG_NEWPOLICY,
  XFRM_MSG_UPDPOLICY,
  XFRMA_IF_ID,
  XFRMA_TMPL,
} from "./constants.ts";

const TEMPLATE_LENGTH = 64;
const XFRM_POLICY_BLOCK = 1;

const policy = new Policy({ [XFRMA_TMPL]: "bytes", [XFRMA_IF_ID]: "u32" });

/** XFRM_MSG_NEWPOLICY, XFRM_MSG_UPDPOLICY or XFRM_MSG_DELPOLICY. */
export function encodePolicy(verb: Change["verb"], object: XfrmPolicy, message: MessageBuilder): void {
  const direction = directions.indexOf(object.direction);
  if (verb === "delete") {
    const id = new Struct(POLICY_ID_LENGTH);
    id.selector(0, object);
    id.u8(60, direction);
    message.start({ type: XFRM_MSG_DELPOLICY, flags: NLM_F_REQUEST }, id.bytes);
    return putInterface(message, object);
  }
  const head = new Struct(POLICY_LENGTH);
  head.selector(0, object);
  head.noLimits(SELECTOR_LENGTH);
  head.u32(152, object.priority);
  head.u8(160, direction);
  head.u8(161, object.action === "block" ? XFRM_POLICY_BLOCK : 0);
  const type = verb === "add" ? XFRM_MSG_NEWPOLICY : XFRM_MSG_UPDPOLICY;
  message.start({ type, flags: verb === "add" ? makeFlags.add : NLM_F_REQUEST }, head.bytes);
  message.put(XFRMA_TMPL, templateOf(object));
  putInterface(message, object);
}

/**
 * `struct xfrm_user_tmpl`. One that need not be met, in transport mode, asks nothing of a packet: it is there to say whose
 * policy this is.
 */
function templateOf({ action, ends, source, requestId }: XfrmPolicy): Uint8Array<ArrayBuffer> {
  const template = new Struct(TEMPLATE_LENGTH);
  const nobody = source.includes(":") ? "::" : "0.0.0.0";
  const family = template.address(0, ends?.destination ?? nobody);
  template.u8(20, IPPROTO_ESP);
  template.u16(24, family);
  template.address(28, ends?.source ?? nobody);
  template.u32(44, requestId);
  template.u8(48, action === "tunnel" ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT);
  template.u8(50, action === "tunnel" ? 0 : 1);
  for (const at of [52, 56, 60]) template.u32(at, 0xffffffff); // any algorithm
  return template.bytes;
}

function putInterface(message: MessageBuilder, { interfaceId }: XfrmPolicy): void {
  if (interfaceId !== 0) message.putU32(XFRMA_IF_ID, interfaceId);
}

/** The policy of a message; undefined for one without a template, which is nobody's of ours. */
export function decodePolicy(parser: MessageParser, message: MessageBounds): XfrmPolicy | undefined {
  if (!parser.parse(message, POLICY_LENGTH, policy)) return undefined;
  const direction = directions[parser.headU8(message, 160)];
  const template = parser.data(XFRMA_TMPL);
  const family = parser.headU16(message, 40);
  if (direction === undefined || template === undefined || template.length < TEMPLATE_LENGTH) {
    return undefined;
  }
  if (family !== 2 && family !== 10) return undefined;
  const head = parser.bytes.subarray(message.offset + 16);
  const view = new DataView(template.buffer, template.byteOffset);
  const outer = view.getUint16(24, true);
  const isTunnel = template[48] === XFRM_MODE_TUNNEL && template[50] === 0 && (outer === 2 || outer === 10);
  const action = parser.headU8(message, 161) === XFRM_POLICY_BLOCK ? "block" : isTunnel ? "tunnel" : "pass";
  return {
    kind: "xfrm-policy",
    direction,
    ...selectorAt(head, 0),
    priority: parser.headU32(message, 152),
    action,
    ...(action === "tunnel"
      ? { ends: { source: addressAt(template, 28, outer), destination: addressAt(template, 0, outer) } }
      : {}),
    requestId: view.getUint32(44, true),
    interfaceId: parser.u32(XFRMA_IF_ID) ?? 0,
  };
}
