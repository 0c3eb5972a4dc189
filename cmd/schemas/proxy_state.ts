/** Whether a proxy does its work. */
import { about, type Fields, nullable, text, yesOrNo } from "./shapes.ts";

export const carrying: Fields = {
  carrying: about("whether packets pass", yesOrNo),
  failure: about("why they do not", nullable(text)),
};
