/** A network whose packets its own commands carry, on a real kernel: joined, restarted, and left as it was found. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { hostGw, type Plane } from "../lib/planes.ts";

const commands = {
  PreStartupCommand: "ip -4 -o address show dev eth0 | head -n 1 | tr -s ' ' | cut -d ' ' -f 4",
  PostStartupCommand: 'ip link add own0 type bridge && echo "post $NETWORK $SUBNET" >&2',
  ShutdownCommand: "ip link delete own0",
  SubnetAddCommand: 'read peer; ip route add "$SUBNET" via "${peer%/*}" proto 99',
  SubnetRemoveCommand: 'ip route delete "$SUBNET" proto 99',
};
const options = Object.entries(commands).flatMap(([name, value]) => ["--backend-option", `${name}=${value}`]);
const plane: Plane = {
  ...hostGw,
  backend: "extension",
  args: ["--backend", "extension"],
  reached: async ({ namespace }) => await routed(namespace),
};

hostTest(
  "an extension network is carried by its own commands, and left by them",
  { lab: "extension", hosts: 2, plane },
  async (hosts, t) => {
    const [first, second] = [hosts.at(1), hosts.at(2)];
    await hosts.withoutIpv6(first);
    const before = await namespaceState(first);

    await t.step("a dry run runs nothing", async () => {
      const { code, stdout, stderr } = await hosts.lab.flan(first, [
        "up",
        "--dry-run",
        ...plane.args,
        ...options,
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /ip link add own0/);
      assert.deepEqual(await namespaceState(first), before);
    });

    const victim = await hosts.join(first, options);
    await t.step("a host that was not told to runs nobody's commands", async () => {
      const { code, stderr } = await hosts.lab.flan(second, ["up", "--once"]);
      assert.equal(code, 5, stderr);
      assert.match(stderr, /hint: .*flan up --backend extension/);
    });
    await t.step(
      "a lease without an agent announces what the startup command says, with the same leave",
      async () => {
        const acquire = flanCommand(["lease", "acquire", "-o", "json"]);
        assert.equal((await hosts.lab.on(second, acquire)).code, 5);
        const { stdout, stderr } = await hosts.lab.on(second, ["env", "FLAN_BACKEND=extension", ...acquire]);
        assert.equal(JSON.parse(stdout).backendData, "192.0.2.2/24", stderr);
      },
    );
    const members: Member[] = [victim, await hosts.join(second)];
    for (const member of members) await hosts.knows(member, members);

    await t.step("packets go both ways, and routes says how", async () => {
      await hosts.allReach(members);
      const { stdout } = await hosts.lab.flan(first, ["routes", "-o", "tsv"]);
      assert.ok(
        stdout.includes([members[1]!.subnet, second.address, "-", "extension", "ok"].join("\t")),
        stdout,
      );
      const shown = await hosts.lab.flan(first, ["routes", "-o", "commands"]);
      assert.match(shown.stdout, /sh -c 'read peer; ip route add/);
    });

    await t.step("a killed agent's successor runs nothing again", async () => {
      await victim.agent.end("SIGKILL");
      victim.agent = await hosts.up(first);
      assert.deepEqual((await hosts.status(first)).problems, []);
      await hosts.allReach(members);
    });

    await t.step("a down whose command fails says so, and the next one does the rest", async () => {
      // Somebody did the command's work.
      await hosts.ip(first, `route delete ${members[1]!.subnet}`);
      const { code, stderr } = await hosts.lab.flan(first, ["down"]);
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        /^flan: Cannot take away subnet .* given up after 3 attempts.*\nhint: .*run flan down again/m,
      );
    });

    await t.step("down runs what takes everything away", async () => {
      const { code, stdout, stderr } = await hosts.lab.flan(first, ["down"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^released lease /m);
      await hosts.ip(first, "link delete cni0");
      assert.deepEqual(await namespaceState(first), before);
    });
  },
);

async function routed(namespace: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("ip", {
    args: ["-netns", namespace, "-j", "route", "show", "proto", "99"],
  }).output();
  return (JSON.parse(new TextDecoder().decode(stdout) || "[]") as { dst: string }[]).map(({ dst }) => dst);
}
