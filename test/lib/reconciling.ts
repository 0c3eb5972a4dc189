/** A reconciler on a kernel in memory, with what tests ask of the two. */
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import type { Change } from "../../kernel/kernel.ts";
import type { Owner } from "../../kernel/ownership.ts";
import { Reconciler, type Report } from "../../kernel/reconcile.ts";
import type { Fields, Level, Logger } from "../../net/log.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { owner } from "./overlay.ts";

export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

/** A logger that keeps what it is told. */
export class KeptLog implements Logger {
  readonly lines: LogLine[] = [];

  log(level: Level, message: string, fields: Fields = {}): void {
    this.lines.push({ level, message, fields });
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }
}

export interface Setup {
  readonly kernel: FakeKernel;
  readonly clock: FakeClock;
  reconciler: Reconciler;
}

export function setup(kernel = new FakeKernel(), who: Owner = owner): Setup {
  const clock = new FakeClock();
  return { kernel, clock, reconciler: new Reconciler(kernel, { owner: who, clock }) };
}

export function shown(changes: readonly Change[]): string[] {
  return changes.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
}

/** Everything in the stack, in an order that does not depend on how it came about. */
export function contents(kernel: FakeKernel): KernelObject[] {
  return [...kernel.stack.read()].sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
}

/** Reconciles as the agent does, waiting as long as the reports say, until nothing fails. At most 60 times. */
export async function untilQuiet(
  { reconciler, clock }: Setup,
  desired: readonly KernelObject[],
): Promise<Report> {
  for (let i = 0; i < 60; i++) {
    const report = await reconciler.reconcile(desired);
    if (report.retryIn === undefined) return report;
    await clock.advance(report.retryIn);
  }
  throw new Error("Cannot get the kernel to rest: something still fails after 60 attempts");
}
