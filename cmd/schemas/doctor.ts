import { about, list, listing, nullable, object, oneOf, text, word, yesOrNo } from "./shapes.ts";

export const doctor = listing("doctor", {
  description: "What is missing or wrong on this host: flan doctor.",
  fields: {
    encrypted: about(
      "whether nobody on the underlay can read the network's packets; null where it is not known",
      nullable(yesOrNo),
    ),
    checks: list(object({
      name: text,
      state: oneOf("ok", "warning", "high", "unseen"),
      unseen: about("why not everything could be looked at", nullable(text)),
    })),
  },
  line: object({
    code: word("port-taken", "network-overlap"),
    severity: oneOf("warning", "high"),
    subject: about("what it concerns: a link, a file, a subnet", text),
    message: text,
    remedy: about("the command that mends it, or shows how", text),
    because: about("the code, there too, that this one follows from", nullable(word("agent-down"))),
  }),
});
