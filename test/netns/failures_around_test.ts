/** The commands that look name what is wrong around flan. */
import { around } from "../lib/failures.ts";
import { namingTest } from "../lib/naming.ts";

namingTest("explain, diff, doctor and ping name what is wrong around flan", {
  lab: "fail-around",
  failures: around,
});
