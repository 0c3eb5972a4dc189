/** A test of failures: each is made by hand on a host without an agent, and the commands that look must name it. */
import assert from "node:assert/strict";
import type { FailureCase, Scene } from "./failures.ts";
import { type Hosts, hostTest, type Member } from "./hosts.ts";

/** `lab` names the namespaces. */
export function namingTest(
  name: string,
  { lab, failures }: { lab: string; failures: readonly FailureCase[] },
): void {
  hostTest(name, { lab, hosts: 2, probes: true }, async (hosts, t) => {
    const [victim, peer] = await hosts.joinAll(["--ip-masq"]) as [Member, Member];
    const scene = { hosts, victim, peer };
    await hosts.lab.on(victim.host, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    // A kernel without that module does not know it.
    await hosts.lab.on(victim.host, ["sysctl", "-eqw", "net.bridge.bridge-nf-call-iptables=0"]);
    await hosts.ip(victim.host, "link set cni0 mtu 1450");
    await victim.agent.end("SIGKILL");
    assert.deepEqual(await doctor(scene), [], "nothing else is wrong before");
    for (const failure of failures) {
      await t.step(failure.name, async () => {
        await failure.make(scene);
        try {
          const [explained, changes, codes, pinged] = await Promise.all([
            explain(scene, failure),
            diff(scene, failure),
            doctor(scene),
            failure.ping === undefined ? undefined : ping(scene),
          ]);
          assert.match(explained ?? "nothing", failure.explain ?? /^nothing$/, "explain");
          assert.match(changes ?? "nothing", failure.diff ?? /^nothing$/, "diff");
          assert.deepEqual(codes, failure.doctor ?? [], "doctor");
          assert.equal(pinged, failure.ping, "ping");
        } finally {
          await mend(scene, failure);
        }
      });
    }
  });
}

/** Everything is as it was, which `explain` of the whole way says, and the doctor. */
async function mend(scene: Scene, { unmake }: FailureCase): Promise<void> {
  await unmake?.(scene);
  const repaired = await flan(scene.hosts, scene.victim, ["routes", "repair"]);
  assert.equal(repaired.code, 0, repaired.stderr);
  const said = await Promise.all([explain(scene), diff(scene), doctor(scene)]);
  assert.deepEqual(said, [undefined, undefined, []], "all is mended");
}

/** The first hop that is broken, or undefined, as where the store cannot be used. */
async function explain(
  { hosts, victim, peer }: Scene,
  { isStoreAway = false }: Pick<FailureCase, "isStoreAway"> = {},
): Promise<string | undefined> {
  const { code, stdout, stderr } = await flan(hosts, victim, [
    "routes",
    "explain",
    peer.container,
    "-o",
    "json",
  ]);
  if (isStoreAway) return void assert.equal(code, 4, stderr);
  const { steps } = JSON.parse(stdout || assert.fail(stderr)) as { steps: { what: string; state: string }[] };
  const broken = steps.find(({ state }) => !["ok", "skipped"].includes(state));
  assert.equal(code, broken === undefined ? 0 : 3, stdout);
  return broken && `${broken.what} ${broken.state}`;
}

/** The first line, or undefined where the kernel is as planned, as where the store cannot be used. */
async function diff(
  { hosts, victim }: Scene,
  { isStoreAway = false }: Pick<FailureCase, "isStoreAway"> = {},
): Promise<string | undefined> {
  const { code, stdout, stderr } = await flan(hosts, victim, ["routes", "diff"]);
  if (isStoreAway) return void assert.equal(code, 4, stderr);
  assert.equal(code, stdout === "" ? 0 : 3, stderr);
  return stdout === "" ? undefined : stdout.split("\n")[0];
}

/** The health codes, severe or not, each once: beside the one that says that no agent runs, which is so throughout. */
async function doctor({ hosts, victim }: Scene): Promise<string[]> {
  const { code, stdout, stderr } = await flan(hosts, victim, ["doctor", "-o", "json"]);
  assert.equal(code, 3, stderr);
  const codes = (JSON.parse(stdout) as { items: { code: string }[] }).items.map((item) => item.code);
  assert.ok(codes.includes("agent-down"), stdout);
  return [...new Set(codes)].filter((one) => one !== "agent-down").sort();
}

/** The health code of the way from the peer to the victim, or undefined where it is well. */
async function ping({ hosts, victim, peer }: Scene): Promise<string | undefined> {
  const { code, stdout, stderr } = await flan(hosts, peer, ["ping", victim.subnet, "-o", "json"]);
  const { items } = JSON.parse(stdout || assert.fail(stderr)) as {
    items: { from: string; code: string | null }[];
  };
  const found = items.find(({ from }) => from === peer.subnet)!.code ?? undefined;
  assert.equal(code, 3, "the victim's agent is dead and cannot measure its own direction");
  return found;
}

function flan(hosts: Hosts, { host }: Member, args: readonly string[]) {
  return hosts.lab.flan(host, args);
}
