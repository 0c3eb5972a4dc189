import { backendTypes } from "../../backends/types.ts";
import {
  about,
  address,
  count,
  listing,
  node,
  nullable,
  object,
  subnet,
  text,
  time,
  word,
} from "./shapes.ts";

export const routes = listing("routes", {
  description: "How every peer is reached, and whether the kernel agrees: flan routes.",
  fields: { network: subnet, node: nullable(node), revision: count },
  line: object({
    subnet: text,
    via: nullable(address),
    dev: nullable(text),
    kind: word(
      "local",
      ...backendTypes,
      "direct",
      "refused",
    ),
    state: word("local", "ok", "missing", "wrong", "foreign", "refused"),
    expires: nullable(time),
    node: nullable(node),
    mac: about("that the peer's packets are sent to", nullable(text)),
    note: about("what is not in place, or why the lease is refused", nullable(text)),
  }),
});
