/** Libraries, and what the backend needs of the kernel. */
import type { Check } from "../check.ts";
import { diagnosis } from "../diagnosis.ts";

export const needs: Check = {
  name: "kernel and libraries",
  judge({ lacks, isAdmin }) {
    const found = lacks.map(({ what, message, hint }) =>
      diagnosis(what === "library" ? "library-missing" : "kernel-lacks", {
        subject: what,
        message,
        remedy: hint,
      })
    );
    return { found, unseen: isAdmin ? undefined : "only root can ask the kernel for all that it has" };
  },
};
