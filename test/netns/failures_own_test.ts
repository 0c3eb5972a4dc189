/** The commands that look name what is wrong with flan's own objects. */
import { own } from "../lib/failures.ts";
import { namingTest } from "../lib/naming.ts";

namingTest("explain, diff, doctor and ping name what is wrong with flan's own objects", {
  lab: "fail-own",
  failures: own,
});
