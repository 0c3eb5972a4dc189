import { about, count, document, mapOf, text, yesOrNo } from "./shapes.ts";

export const ipsec = document("ipsec", {
  description:
    "The nonce that a host announces in an ipsec network, and which keys made with it its kernel was given: " +
    "ipsec.json in the state directory of a flan host. Nothing in it is secret.",
  fields: {
    boot: about("the kernel's id of the boot that the nonce is for", text),
    nonce: about("32 hex digits", text),
    span: about("milliseconds after which keys change", count),
    epoch: about("number of the span of time that this host is in", count),
    spent: about("by fingerprint of a key, the number of the span that it is for", mapOf(count)),
  },
  optional: {
    at: about("the address that the host had and the one that it announced, between them a blank", text),
    isWorn: about("whether a key was asked for again, so that another nonce is due", yesOrNo),
  },
});
