/** Encodes an object with flan's own encoder and hands the bytes to a parser, without a kernel between. */
import { MessageBuilder } from "../../ffi/message_builder.ts";
import { MessageParser } from "../../ffi/message_parser.ts";
import { encodeAddress } from "../../ffi/rtnetlink/address.ts";
import type { EncodeContext, NameOf } from "../../ffi/rtnetlink/context.ts";
import { encodeLinkCreate } from "../../ffi/rtnetlink/link.ts";
import { encodeFdb, encodeNeighbour } from "../../ffi/rtnetlink/neighbour.ts";
import { encodeNexthop } from "../../ffi/rtnetlink/nexthop.ts";
import { encodeRoute } from "../../ffi/rtnetlink/route.ts";
import { decodeAddress } from "../../ffi/rtnetlink/address.ts";
import { decodeLink, namedLink } from "../../ffi/rtnetlink/link.ts";
import { decodeFdb, decodeNeighbour } from "../../ffi/rtnetlink/neighbour.ts";
import { decodeNexthop } from "../../ffi/rtnetlink/nexthop.ts";
import { decodeRoute } from "../../ffi/rtnetlink/route.ts";
import type { Change } from "../../kernel/kernel.ts";
import type { KernelObject } from "../../kernel/state.ts";

/** Index and name of the only two links there are. */
export const links: ReadonlyMap<number, string> = new Map([[3, "flan.7"], [2, "under0"]]);
export const nameOf: NameOf = (index) => links.get(index);

function indexOf(name: string): number {
  for (const [index, known] of links) if (known === name) return index;
  throw new Error(`no link ${name}`);
}

/** The message for one change of `object`. */
export function encoded(object: KernelObject, verb: Change["verb"] = "add"): Uint8Array<ArrayBuffer> {
  const message = new MessageBuilder();
  try {
    encodeWith({ message, indexOf }, object, verb);
    return message.finish().slice();
  } finally {
    message.free();
  }
}

/** Leaves the message for one change in the context's builder. */
export function encodeWith(context: EncodeContext, object: KernelObject, verb: Change["verb"]): void {
  switch (object.kind) {
    case "link":
      return encodeLinkCreate(object, context);
    case "address":
      return encodeAddress(verb, object, context);
    case "nexthop":
      return encodeNexthop(verb, object, context);
    case "neighbour":
      return encodeNeighbour(verb, object, context);
    case "fdb":
      return encodeFdb(verb, object, context);
    case "route":
      return encodeRoute(verb, object, context);
    case "sysctl":
      throw new Error("a sysctl has no message");
  }
}

/** What each decoder makes of the messages in `bytes`; whatever they are, nothing may crash or throw. */
export function decodedAll(
  parser: MessageParser,
  bytes: Uint8Array,
  name: NameOf = nameOf,
): (KernelObject | undefined)[] {
  parser.bytes.set(bytes);
  const objects: (KernelObject | undefined)[] = [];
  for (const message of parser.messages(bytes.length)) {
    const link = decodeLink(parser, message);
    objects.push(link && namedLink(link, name));
    objects.push(decodeAddress(parser, message, name));
    objects.push(decodeNexthop(parser, message, name));
    objects.push(decodeNeighbour(parser, message, name));
    objects.push(decodeFdb(parser, message, name));
    objects.push(decodeRoute(parser, message, name));
  }
  return objects;
}

/** The object of that kind which the message holds. */
export function decoded(kind: KernelObject["kind"], bytes: Uint8Array): KernelObject | undefined {
  return decodedAll(new MessageParser(64 * 1024), bytes).find((object) => object?.kind === kind);
}
