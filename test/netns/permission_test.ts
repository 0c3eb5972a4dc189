/** What flan says where it may not, or cannot, change the network; and what it can still answer. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must, type Outcome } from "../../cmd/demo/shell.ts";
import { flanCommand } from "../../cmd/self.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { hostGw, udp } from "../lib/planes.ts";

const tree = new URL("../..", import.meta.url).pathname;
/** A user without any privilege: "nobody". */
const unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

/**
 * flan as a user without root. The runtime, its cache and flan itself may lie where that user cannot look, so they
 * are mounted elsewhere, for this process only.
 */
async function asNobody(hosts: Hosts, host: LabHost, args: readonly string[]): Promise<Outcome> {
  const { denoDir } = JSON.parse(await must([Deno.execPath(), "info", "--json"]));
  const script = [
    "set -e",
    "mount -t tmpfs tmpfs /mnt",
    "mkdir /mnt/tree /mnt/cache",
    "touch /mnt/deno",
    'mount --bind "$1" /mnt/tree',
    'mount --bind "$2" /mnt/cache',
    'mount --bind "$3" /mnt/deno',
    "shift 3",
    'DENO_DIR=/mnt/cache HOME=/nonexistent exec "$@"',
  ].join("\n");
  const flan = ["/mnt/deno", "run", "--quiet", "--allow-all", "/mnt/tree/main.ts", ...args];
  const places = [tree, denoDir, Deno.execPath()];
  return await hosts.lab.on(host, [
    "unshare",
    "--mount",
    "sh",
    "-c",
    script,
    "sh",
    ...places,
    ...unprivileged,
    ...flan,
  ]);
}

/** flan where the library of this name is an empty file, for this process only. */
async function withoutLibrary(
  hosts: Hosts,
  host: LabHost,
  name: string,
  args: readonly string[],
): Promise<Outcome> {
  const script = [
    "name=$1",
    "shift",
    'for file in $(ldconfig -p | sed -n "s|.* => \\(.*/$name\\.so[.0-9]*\\)|\\1|p"); do',
    '  mount --bind /dev/null "$file" || exit 99',
    "done",
    'exec "$@"',
  ].join("\n");
  return await hosts.lab.on(host, [
    "unshare",
    "--mount",
    "sh",
    "-c",
    script,
    "sh",
    name,
    ...flanCommand(args),
  ]);
}

hostTest("without root what changes the network exits with 5 and names the capability", {
  lab: "nobody",
  hosts: 1,
}, async (hosts) => {
  const host = hosts.at(1);
  await hosts.withoutIpv6(host);
  const before = await namespaceState(host);
  Deno.chmodSync(hosts.lab.directory, 0o777);

  for (const args of [["up"], ["up", "--once"], ["up", "--detach"], ["down"]]) {
    const { code, stdout, stderr } = await asNobody(hosts, host, args);
    assert.deepEqual([code, stdout], [5, ""], stderr);
    assert.match(stderr, /^flan: Cannot .*: the capability CAP_NET_ADMIN is missing\nhint: run as root\n$/);
  }

  assert.deepEqual(await namespaceState(host), before);
  assert.deepEqual([...Deno.readDirSync(hosts.lab.directory)], [], "nothing was written");
});

hostTest(
  "without root what only looks works, as far as files may be read",
  { lab: "looker", hosts: 2 },
  async (hosts, t) => {
    const members = await hosts.joinAll();
    const [{ host, subnet }, peer] = members as [typeof members[0], typeof members[0]];
    Deno.chmodSync(hosts.lab.directory, 0o755);

    await t.step("routes and lease list", async () => {
      const routes = await asNobody(hosts, host, ["routes", "-o", "tsv"]);
      assert.equal(routes.code, 0, routes.stderr);
      assert.match(
        routes.stdout,
        new RegExp(`^${peer!.subnet}\\t${peer!.host.address}\\tflan\\.1\\tvxlan\\tok\\t`, "m"),
      );
      const diff = await asNobody(hosts, host, ["routes", "diff"]);
      assert.equal(diff.code, 0, diff.stdout + diff.stderr);
      const leases = await asNobody(hosts, host, ["lease", "list", "-o", "value=subnet"]);
      assert.deepEqual(leases.stdout.trim().split("\n").sort(), [subnet, peer!.subnet].sort(), leases.stderr);
    });

    await t.step("status and doctor ask the agent, and whatever else it does is not for them", async () => {
      const status = await asNobody(hosts, host, ["status", "--wait", "-o", "json"]);
      assert.equal(status.code, 0, status.stderr);
      assert.equal(JSON.parse(status.stdout).lease.subnet, subnet);
      const doctor = JSON.parse((await asNobody(hosts, host, ["doctor", "-o", "json"])).stdout);
      const agent = doctor.checks.find(({ name }: { name: string }) => name === "agent");
      assert.deepEqual(agent, { name: "agent", state: "ok", unseen: null });
      for (const args of [["down"], ["routes", "repair"], ["ping", "--all"]]) {
        const { code, stderr } = await asNobody(hosts, host, args);
        assert.equal(code, 5, args.join(" "));
        assert.match(stderr, /^flan: Cannot .*\nhint: run as root\n$/);
      }
    });

    await t.step("a store that may not be read is named", async () => {
      Deno.chmodSync(`${hosts.lab.directory}/network.json`, 0o600);
      const { code, stderr } = await asNobody(hosts, host, ["lease", "list"]);
      assert.equal(code, 4, stderr);
      const reason = /^flan: (Cannot read .*)\nhint: (only its owner may read it .*)\n$/.exec(stderr) ?? [];
      assert.match(reason[1]!, /network\.json/);
      const doctor = JSON.parse((await asNobody(hosts, host, ["doctor", "-o", "json"])).stdout);
      const { unseen } = doctor.checks.find(({ name }: { name: string }) => name === "plan");
      assert.equal(unseen, `${reason[1]} (${reason[2]})`);
    });
  },
);

hostTest(
  "without root a udp network is judged as far as it can be seen: not by its proxy",
  { lab: "unseen", hosts: 2, plane: udp },
  async (hosts) => {
    const [{ host }, peer] = await hosts.joinAll() as [Member, Member];
    Deno.chmodSync(hosts.lab.directory, 0o755);
    const told = /^flan: The UDP proxy is not judged: Cannot ask the UDP proxy at \S+proxy\.sock: .*\n/;
    const look = async (...args: string[]) => {
      const said = await asNobody(hosts, host, args);
      assert.match(said.stderr, told, args.join(" "));
      assert.equal(said.stderr.match(/not judged/g)!.length, 1, "it is said once");
      return said;
    };

    const routes = await look("routes", "-o", "tsv");
    assert.equal(routes.code, 0, routes.stderr);
    assert.match(
      routes.stdout,
      new RegExp(`^${peer.subnet}\\t${peer.host.address}\\tflan0\\tudp\\tok\\t`, "m"),
    );
    assert.equal((await look("routes", "diff")).code, 0);
    const dry = await look("up", "--dry-run");
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^changes {2}none$/m);
  },
);

hostTest(
  "without root it is not judged what the commands of an extension network did",
  {
    lab: "unseen-hooks",
    hosts: 1,
    plane: { ...hostGw, backend: "extension", args: ["--backend", "extension"] },
  },
  async (hosts) => {
    const { host } = await hosts.join(hosts.at(1), ["--backend-option", "PostStartupCommand=:"]);
    Deno.chmodSync(hosts.lab.directory, 0o755);
    for (const args of [["routes"], ["routes", "diff"]]) {
      const { code, stderr } = await asNobody(hosts, host, args);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^flan: What the network's commands did is not judged: Cannot use \S+hooks\.json: /,
      );
    }
  },
);

hostTest(
  "without libnl what needs it exits with 5 and names the package",
  { lab: "nolib", hosts: 1 },
  async (hosts) => {
    const host = hosts.at(1);
    await hosts.withoutIpv6(host);
    const before = await namespaceState(host);

    for (const args of [["up", "--once"], ["up", "--dry-run"], ["up", "--detach"]]) {
      const { code, stderr } = await withoutLibrary(hosts, host, "libnl-3", args);
      assert.equal(code, 5, stderr);
      assert.match(
        stderr,
        /^flan: Cannot open library libnl-3 \(tried .*\): .*\nhint: apt-get install libnl-3-200$/m,
      );
    }
    const help = await withoutLibrary(hosts, host, "libnl-3", ["lease", "--help"]);
    assert.equal(help.code, 0, "what needs no kernel needs no library");

    assert.deepEqual(await namespaceState(host), before);
  },
);
