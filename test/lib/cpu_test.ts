import assert from "node:assert/strict";
import { busiestOf } from "./cpu.ts";

Deno.test("a thread that spins is told from one that rests on the busiest machine", async () => {
  const spin = (count: number) =>
    Array.from(
      { length: count },
      () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"], stdout: "null" }).spawn(),
    );
  const spinners = spin(4 * navigator.hardwareConcurrency);
  const resting = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const [rest, ...busy] = await Promise.all([resting, ...spinners].map(({ pid }) => busiestOf(pid)));
    assert.ok(rest! < 0.1, `${rest} at rest`);
    assert.ok(Math.min(...busy) > 0.8, `${busy} spinning`);
  } finally {
    for (const one of [resting, ...spinners]) {
      one.kill("SIGKILL");
      await one.status;
    }
  }
});
