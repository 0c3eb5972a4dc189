import { conflict } from "./conflict.ts";
import { refusal } from "./refusal.ts";
import { about, document, list, mtu, nullable, subnet, text, yesOrNo } from "./shapes.ts";

export const plan = document("plan", {
  description: "What a join would do: flan up --dry-run.",
  fields: {
    store: text,
    startsNetwork: yesOrNo,
    network: subnet,
    subnet: about("the lease that would be taken", subnet),
    device: about("empty where the backend makes none", text),
    mtu,
    lacks: about("why this host could not join", nullable(text)),
    commands: about("the same by hand", list(text)),
    conflicts: list(conflict),
    refused: list(refusal),
  },
  optional: { subnet6: subnet, network6: subnet },
});
