/** What the keys of an encrypted network say about this host's health. */
import type { Host } from "../../backends/backend.ts";
import type { Judgement } from "./health.ts";

/** Whether this host can note which IPsec keys it gives to the kernel: without that it gives none. */
export function judgeKeys({ ipsec }: Pick<Host, "ipsec">): Judgement {
  const trouble = ipsec?.trouble;
  const found = trouble === undefined
    ? []
    : [{ code: "ipsec-keys", subject: "ipsec.json", message: trouble } as const];
  return { codes: ["ipsec-keys"], found };
}
