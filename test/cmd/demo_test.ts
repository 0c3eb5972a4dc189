import assert from "node:assert/strict";
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { must, run } from "../../cmd/demo/shell.ts";

const host: LabHost = {
  namespace: "flan-demo-1",
  address: "192.0.2.1",
  env: { A: "b" },
  runDir: "/r",
  stateDir: "/s",
};

Deno.test("a program on a host of the demo runs in that host's namespace and nowhere else", () => {
  const lab = new Lab("flan-demo", "/tmp/flan-demo");
  assert.deepEqual(lab.command(host, ["ping", "-c1", "x"]), [
    "ip",
    "netns",
    "exec",
    "flan-demo-1",
    "ping",
    "-c1",
    "x",
  ]);
  assert.equal(lab.store, "file:/tmp/flan-demo/network.json");
});

Deno.test("a program's output, errors and exit code come back apart", async () => {
  const outcome = await run(["sh", "-c", "echo out; echo $NAME >&2; exit 3"], { NAME: "err" });
  assert.deepEqual(outcome, { code: 3, stdout: "out\n", stderr: "err\n" });
});

Deno.test("what must work and fails is an error with the program's own words", async () => {
  assert.equal(await must(["echo", "fine"]), "fine\n");
  const fails = () => must(["sh", "-c", "echo because >&2; exit 1"]);
  await assert.rejects(fails, {
    code: "failed",
    message: "Cannot run sh -c echo because >&2; exit 1: because",
  });
  await assert.rejects(() => must(["false"]), { message: "Cannot run false: exit code 1" });
});

Deno.test("a program that is not there is unsupported, with what installs it", async () => {
  await assert.rejects(() => run(["flan-no-such-program"]), {
    code: "unsupported",
    message: "Cannot run flan-no-such-program: it is not installed",
    hint: "deno task setup installs what is missing",
  });
});
