/** `flan doctor --bundle`: what is in it, and that no secret is, wherever one stands. */
import assert from "node:assert/strict";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixture, Sandbox } from "./sandbox.ts";

const ignore = namespaceMissing !== undefined;
const SECRET = "hunter2xyz";

async function unpack(file: string, into: string): Promise<Map<string, string>> {
  Deno.mkdirSync(into);
  const { success } = await new Deno.Command("tar", { args: ["-C", into, "-xzf", file] }).output();
  assert.ok(success);
  const folder = `${into}/flan-doctor`;
  return new Map(
    [...Deno.readDirSync(folder)].map(({ name }) => [name, Deno.readTextFileSync(`${folder}/${name}`)]),
  );
}

Deno.test({
  name: `bundle: it holds what helps, and no secret${ignore ? ` (${namespaceMissing})` : ""}`,
  ignore,
  async fn() {
    using namespace = new Namespace("bundle");
    using sandbox = new Sandbox(namespace);
    const stored = fixture<unknown>("json/v1/network.json");
    const text = JSON.stringify(stored).replace('"Type":"vxlan"', `"Type":"vxlan","PSK":"${SECRET}-psk"`);
    assert.ok(text.includes(SECRET));
    sandbox.write("network.json", text);
    const log = sandbox.write(
      "agent.log",
      `x etcd://root:${SECRET}-log@h:1/a Bearer ${SECRET}-bearer token=${SECRET}\n`,
    );
    const token = sandbox.write("token", `${SECRET}-token\n`);
    const password = sandbox.write("password", `${SECRET}-password\n`);
    const env = {
      FLAN_STORE_TOKEN_FILE: token,
      FLAN_STORE_PASSWORD_FILE: password,
      FLAN_LOG_FILE: log,
      FLAN_BACKEND_OPTION: `PSK=${SECRET}-option`,
    };
    const file = `${sandbox.dir}/b.tar.gz`;
    for (
      const [i, store] of [`file:${sandbox.store}`, `etcd://root:${SECRET}-url@192.0.2.1:1/net`].entries()
    ) {
      const { stderr } = await sandbox.flan(["doctor", "--bundle", file + i, "--store", store], { env });
      assert.match(stderr, new RegExp(`^flan: Wrote ${file}${i}; `, "m"));
      assert.equal(Deno.statSync(file + i).mode! & 0o777, 0o600);
      const parts = await unpack(file + i, `${sandbox.dir}/out${i}`);
      for (const [name, text] of parts) assert.ok(!text.includes(SECRET), `${name}: ${text}`);
      assert.match(parts.get("versions.txt")!, /^flan \d.*\ndeno \d.*\nLinux version /);
      assert.match(parts.get("links.txt")!, / eth0@/);
      assert.match(parts.get("agent-log.txt")!, /^x etcd:\/\/<redacted>@h:1\/a /);
      assert.match(parts.get("config-show.json")!, new RegExp(token));
      // The second store is out of reach, and the part says so.
      const network = parts.get("network-config.json")!;
      if (i === 0) assert.equal(JSON.parse(network).Backend.PSK, "<redacted>");
      else assert.match(network, /# exit code [24]\nflan: /);
      assert.ok(JSON.parse(parts.get("doctor.json")!).checks.length > 10);
    }
    const before = Deno.readFileSync(`${file}0`);
    const again = await sandbox.flan(["doctor", "--bundle", `${file}0`]);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /^flan: Cannot write bundle .*: it exists already\n/);
    assert.deepEqual(Deno.readFileSync(`${file}0`), before);
  },
});
