import assert from "node:assert/strict";
import { busiestOf, MOST } from "./cpu.ts";

Deno.test("a thread that spins is told from one that rests on the busiest machine", async () => {
  const spin = (count: number) =>
    Array.from(
      { length: count },
      () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"], stdout: "null" }).spawn(),
    );
  const spinners = spin(4 * navigator.hardwareConcurrency);
  const resting = new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
  try {
    // What it does to begin with is over when it has answered.
    const writer = resting.stdin.getWriter();
    await writer.write(Uint8Array.of(1));
    await resting.stdout.getReader().read();
    const [rest, ...busy] = await Promise.all([resting, ...spinners].map(({ pid }) => busiestOf(pid)));
    assert.ok(rest! < MOST, `${rest} at rest`);
    assert.ok(Math.min(...busy) > MOST, `${busy} spinning`);
  } finally {
    for (const one of [resting, ...spinners]) {
      one.kill("SIGKILL");
      await one.status;
    }
  }
});
