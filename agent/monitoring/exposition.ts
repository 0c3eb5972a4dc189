/**
 * The text format that Prometheus and others scrape: https://prometheus.io/docs/instrumenting/exposition_formats/,
 * version 0.0.4.
 */
import { printable } from "../../net/text.ts";
import type { Labels } from "./counts.ts";

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** What is added to the metric's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

export interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  /** One line. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The metrics as text; one without samples is left out. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.filter(({ samples }) => samples.length > 0).map(({ name, type, help, samples }) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels = {}, value, suffix = "" }) =>
        `${name}${suffix}${labelText(labels)} ${numberText(value)}`
      ),
    ].join("\n") + "\n"
  ).join("");
}

export function numberText(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Values may come from others: control characters are written out, backslashes and quotes escaped. */
function escaped(value: string): string {
  return printable(value, 200).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
