import { about, anything, listing, nullable, object, oneOf, text } from "./shapes.ts";

export const settings = listing("settings", {
  description: "Every setting of this host with the source of its value: flan config show.",
  fields: { file: about("the config file that was read", nullable(text)) },
  line: object({
    setting: text,
    value: anything,
    source: oneOf("flag", "environment", "file", "joined", "default"),
  }),
});
