/** `flan routes` beside an agent that keeps a peer whose lease is gone: it judges as the agent does. */
import assert from "node:assert/strict";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

const ignore = namespaceMissing !== undefined;
const reason = ignore ? ` (${namespaceMissing})` : "";

Deno.test({
  name: `a peer that the agent keeps although its lease is gone is listed as expired, and no drift${reason}`,
  ignore,
  async fn() {
    using namespace = new Namespace("expired");
    using sandbox = new Sandbox(namespace);
    Deno.copyFileSync(fixturePath("json/v1/network.json"), sandbox.store);
    sandbox.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
    const ok = async (...args: string[]) => {
      const said = await sandbox.flan(args);
      assert.equal(said.code, 0, said.stdout + said.stderr);
      return said.stdout;
    };
    const rows = async () => JSON.parse(await ok("routes", "--json")).items as Record<string, string>[];
    await ok("up", "--detach");
    try {
      const before = await rows();
      // As an expiry that nobody was told of: gone, and not as released.
      const text = Deno.readTextFileSync(sandbox.store).replace(/^"10\.5\.2\.0-24".*\n/m, "");
      const revision = JSON.parse(text).revision;
      const next = sandbox.write(
        "next.json",
        text.replaceAll(`"revision":${revision},`, `"revision":${revision + 1},`),
      );
      Deno.renameSync(next, sandbox.store);
      while (JSON.parse((await sandbox.flan(["status", "--json"])).stdout).peers.expired === 0);
      const after = await rows();
      assert.deepEqual(
        after,
        before.map((row) => row.subnet === "10.5.2.0/24" ? { ...row, note: "expired" } : row),
      );
      assert.equal(JSON.parse(await ok("routes", "diff", "--json")).clean, true);
    } finally {
      await ok("down");
    }
  },
});
