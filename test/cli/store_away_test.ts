/** Beside an agent whose store is away, the commands that look answer with what the agent knows. */
import assert from "node:assert/strict";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

const ignore = namespaceMissing !== undefined;
const reason = ignore ? ` (${namespaceMissing})` : "";
const away = /^flan: The store is away \(.+\); shown is what the agent knew \d+[sm] ago\n$/;

Deno.test({
  name: `with the store away, routes and the own lease are what the agent knows, and say so${reason}`,
  ignore,
  async fn() {
    using namespace = new Namespace("away");
    using sandbox = new Sandbox(namespace);
    sandbox.write("shared/network.json", Deno.readTextFileSync(fixturePath("json/v1/network.json")));
    sandbox.write("state/host.json", Deno.readTextFileSync(fixturePath("json/v1/host.json")));
    const env = { FLAN_STORE: `file:${sandbox.dir}/shared/network.json` };
    const flan = (...args: string[]) => sandbox.flan(args, { env });
    const items = (text: string) =>
      JSON.parse(text).items.map((row: { subnet: string; state: string }) => [row.subnet, row.state]);
    namespace.ip("route add 10.5.3.0/24 via 192.0.2.254");
    const up = await flan("up", "--detach", "--allow-overlap");
    assert.equal(up.code, 0, up.stderr);
    try {
      const before = await flan("routes", "--json");
      const drift = await flan("routes", "diff");
      assert.match(drift.stdout, /^foreign /);
      const own = await flan("lease", "get", "--json");
      // Nothing can be read there, and nothing be made.
      Deno.renameSync(`${sandbox.dir}/shared`, `${sandbox.dir}/moved`);
      Deno.writeTextFileSync(`${sandbox.dir}/shared`, "");
      const routes = await flan("routes", "--json");
      assert.match(routes.stderr, away);
      assert.equal(routes.code, 0);
      assert.deepEqual(items(routes.stdout), items(before.stdout));
      const get = await flan("lease", "get", "--json");
      assert.match(get.stderr, away);
      assert.deepEqual(JSON.parse(get.stdout), JSON.parse(own.stdout));
      const acquire = await flan("lease", "acquire", "-o", "value=subnet");
      assert.match(acquire.stderr, away);
      assert.deepEqual([acquire.code, acquire.stdout], [0, "10.5.1.0/24\n"]);
      // Of what is not the agent's own, and of another store, it knows nothing to say.
      assert.equal((await flan("lease", "get", "10.5.2.0/24")).code, 4);
      assert.equal((await flan("lease", "acquire", "--subnet", "10.5.9.0/24")).code, 4);
      assert.equal((await flan("routes", "--store", `file:${sandbox.dir}/shared/other.json`)).code, 4);
      const diff = await flan("routes", "diff");
      assert.match(diff.stderr, away);
      assert.deepEqual([diff.code, diff.stdout], [3, drift.stdout]);
    } finally {
      Deno.removeSync(`${sandbox.dir}/shared`);
      Deno.renameSync(`${sandbox.dir}/moved`, `${sandbox.dir}/shared`);
      assert.equal((await flan("down")).code, 0);
    }
    assert.equal((await flan("routes")).stderr.includes("away"), false);
  },
});
