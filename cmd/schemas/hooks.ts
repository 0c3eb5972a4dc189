import { about, address, document, list, object, subnet, text } from "./shapes.ts";

export const hooks = document("hooks", {
  description: "What the commands of an extension network did and have not taken away: hooks.json in the " +
    "run directory, which only root reads.",
  fields: {
    hooks: list(object({
      subnet,
      publicIp: address,
      network: about("the whole network; empty in what was done for one peer", text),
      data: about("what they read", text),
      add: about("the command that was run", text),
      remove: about("the command that takes it away", text),
    }, {
      subnet6: about("the second half of a dual-stack lease", subnet),
      publicIp6: text,
      network6: about("the second family of the whole network", text),
    })),
  },
});
