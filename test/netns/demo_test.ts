/** Ctrl-C in `flan demo` leaves nothing behind, whenever it comes. */
import assert from "node:assert/strict";
import { must } from "../../cmd/demo/shell.ts";
import { flanCommand } from "../../cmd/self.ts";
import { LineLog } from "../lib/line_log.ts";

const moments: readonly [string, RegExp][] = [
  ["while the hosts are made", /making 2 hosts/],
  ["while they join", /flan up .* on every host/],
];

for (const [moment, line] of moments) {
  Deno.test({
    name: `a demo that is interrupted ${moment} ends with 130 and takes everything away`,
    ignore: Deno.uid() !== 0,
    fn: async () => {
      const directory = Deno.makeTempDirSync({ prefix: "flan-demo-test-" });
      const [program, ...args] = flanCommand(["demo", "--hosts", "2"]);
      const child = new Deno.Command(program, {
        args,
        env: { TMPDIR: directory },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const [out, err] = [new LineLog("stdout", child.stdout), new LineLog("stderr", child.stderr)];
      await err.line(line);

      child.kill("SIGINT");

      const { code } = await child.status;
      await Promise.all([out.closed, err.closed]);
      assert.equal(code, 130, err.lines.join("\n"));
      assert.doesNotMatch(await must(["ip", "netns", "list"]), new RegExp(`flan-demo-${child.pid}-`));
      assert.deepEqual([...Deno.readDirSync(directory)], []);
      Deno.removeSync(directory);
    },
  });
}
