/** A host that stands still past its lease, and finds another in its subnet when it goes on. */
import assert from "node:assert/strict";
import { codesIn, etcdTest, joinAll, statusIn } from "../lib/etcd_hosts.ts";
import type { Member } from "../lib/hosts.ts";

etcdTest("a host frozen until another has its subnet says so, leaves it, and takes a new one", {
  lab: "frozen",
  hosts: 3,
}, async (world) => {
  const { hosts, etcd, server } = world;
  const [frozen, witness, taker] = await joinAll(world) as [Member, Member, Member];
  const address = frozen.subnet.split("/")[0]!;
  // The one that will take the subnet has left, and asks for it.
  assert.equal((await hosts.lab.flan(taker.host, ["down"])).code, 0);
  const key = `${etcd.prefix}/subnets/${frozen.subnet.replace("/", "-")}`;
  const watch = hosts.start(server, ["etcdctl", "--endpoints", etcd.endpoint, "watch", "--rev=1", key]);
  await watch.out.line(/^PUT/);
  const mark = frozen.agent.err.lines.length;
  Deno.kill(frozen.agent.pid, "SIGSTOP");
  await watch.out.line(/^DELETE/);
  const wish = ["lease", "acquire", "--subnet", frozen.subnet, "--lease-ttl", "10s", "-o", "value=subnet"];
  const { code, stdout, stderr } = await hosts.lab.flan(taker.host, wish);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), frozen.subnet);
  taker.agent = await hosts.up(taker.host, ["--lease-ttl", "10s"]);
  await reaches(witness, address, taker.host.address);

  Deno.kill(frozen.agent.pid, "SIGCONT");

  await frozen.agent.err.line(/ warning .* code=lease-lost /, mark);
  const fresh = await frozen.agent.err.until("another subnet's address", async () => {
    const addresses = await hosts.show(frozen.host, "ip", "address show dev flan.1");
    const locals = (addresses[0]!["addr_info"] as { family: string; local: string }[])
      .filter(({ family }) => family === "inet").map(({ local }) => local);
    const { lease } = await statusIn(frozen);
    return locals.length === 1 && locals[0] !== address && `${locals[0]}/24` === lease?.subnet &&
      locals[0];
  });
  assert.ok((await codesIn(frozen)).includes("lease-lost"));
  assert.equal((await hosts.lab.flan(frozen.host, ["status"])).code, 3);
  await reaches(witness, fresh, frozen.host.address);
  await reaches(witness, address, taker.host.address);
  // Its containers' bridge stands in the way, until it follows subnet.env.
  await frozen.agent.err.line(/ warning Lease .* is refused \(covers-host\)/, mark);
  await hosts.ip(frozen.host, "link delete cni0");
  await reaches(frozen, address, taker.host.address);

  /** Waits until packets of `from` to a subnet go to this host. */
  async function reaches(from: Member, subnet: string, host: string): Promise<void> {
    await from.agent.err.until(`${subnet} at ${host}`, async () => {
      const near = await hosts.show(from.host, "ip", "neighbour show dev flan.1");
      const mac = near.find((row) => row["dst"] === subnet)?.["lladdr"];
      const fdb = await hosts.show(from.host, "bridge", "fdb show dev flan.1");
      return mac !== undefined && fdb.some((row) => row["mac"] === mac && row["dst"] === host);
    });
  }
});
