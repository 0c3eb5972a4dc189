/** Every check on one set of facts. */
import { causeOf, type HealthCode, healthCodes } from "../agent/health/codes.ts";
import type { Check } from "./check.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { filter, forwarding } from "./checks/forwarding.ts";
import { agent, drift, stateDir, store, subnetEnv } from "./checks/host.ts";
import { input } from "./checks/input.ts";
import { mtu } from "./checks/mtu.ts";
import { needs } from "./checks/needs.ts";
import { networkd } from "./checks/networkd.ts";
import { overlap } from "./checks/overlap.ts";
import { ports } from "./checks/ports.ts";
import { rpFilter } from "./checks/rp_filter.ts";
import { underlay } from "./checks/underlay.ts";
import type { Facts } from "./facts.ts";

/** In the order in which their findings are read. */
export const checks: readonly Check[] = [
  needs,
  underlay,
  ports,
  overlap,
  mtu,
  forwarding,
  filter,
  input,
  rpFilter,
  networkd,
  store,
  agent,
  subnetEnv,
  stateDir,
  drift,
];

/** A finding, and the code of the other one that it follows from. */
export interface Finding extends Diagnosis {
  readonly because: string | undefined;
}

export interface CheckResult {
  readonly name: string;
  readonly state: "ok" | "warning" | "high" | "unseen";
  /** Why not everything could be looked at. */
  readonly unseen: string | undefined;
}

export interface Report {
  /** The network's backend, and whether it encrypts; undefined where the network is not known. */
  readonly traffic: { readonly backend: string; readonly encrypted: boolean } | undefined;
  readonly checks: readonly CheckResult[];
  /** The severe ones first; what two checks tell of alike stands there once. */
  readonly findings: readonly Finding[];
}

/** Runs all checks. */
export function diagnose(facts: Facts): Report {
  const outcomes = checks.map((check) => ({ name: check.name, ...check.judge(facts) }));
  const all = new Map(
    outcomes.flatMap(({ found }) => found).map((one) => [`${one.code} ${one.subject}`, one]),
  );
  const present = new Set([...all.values()].map(({ code }) => code).filter(isHealthCode));
  const findings = [...all.values()].map((one) => ({
    ...one,
    because: isHealthCode(one.code) ? causeOf(one.code, present) : undefined,
  }));
  const high = findings.filter(({ severity }) => severity === "high");
  return {
    traffic: trafficOf(facts),
    checks: outcomes.map(({ name, found, unseen }) => ({
      name,
      state: found.some(({ severity }) => severity === "high")
        ? "high"
        : found.length > 0
        ? "warning"
        : unseen === undefined
        ? "ok"
        : "unseen",
      unseen,
    })),
    findings: [...high, ...findings.filter((one) => !high.includes(one))],
  };
}

function trafficOf({ network }: Facts): Report["traffic"] {
  if ("unseen" in network) return undefined;
  const { config: { backendType: backend }, encrypted } = network.seen;
  return { backend, encrypted };
}

function isHealthCode(code: string): code is HealthCode {
  return Object.hasOwn(healthCodes, code);
}
