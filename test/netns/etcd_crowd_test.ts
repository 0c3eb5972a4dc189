/** Many hosts at once on a small network in a real etcd. */
import assert from "node:assert/strict";
import { etcdTest } from "../lib/etcd_hosts.ts";

const HOSTS = 50;

etcdTest("fifty hosts that start at once on sixty-four subnets have fifty subnets", {
  lab: "crowd",
  hosts: 1,
}, async ({ hosts, etcd }) => {
  await etcd.write({
    config: {
      Network: "10.244.0.0/16",
      SubnetLen: 24,
      SubnetMin: "10.244.64.0",
      SubnetMax: "10.244.127.0",
      Backend: { Type: "vxlan" },
    },
  });
  const [host] = hosts.lab.hosts;
  const answers = await Promise.all(
    Array.from({ length: HOSTS }, (_, i) =>
      hosts.lab.flan(host!, [
        ...["lease", "acquire", "-o", "value=subnet", "--public-ip", `198.51.100.${i + 1}`],
        ...["--state-dir", `${hosts.lab.directory}/crowd/${i}`],
      ])),
  );
  for (const { code, stderr } of answers) assert.equal(code, 0, stderr);
  const subnets = new Set(answers.map(({ stdout }) => stdout.trim()));
  assert.equal(subnets.size, HOSTS);
  for (const subnet of subnets) {
    const third = Number(/^10\.244\.(\d+)\.0\/24$/.exec(subnet)?.[1]);
    assert.ok(third >= 64 && third <= 127, subnet);
  }
  const keys = await etcd.ctl("get", "--prefix", "--keys-only", `${etcd.prefix}/subnets/`);
  const stored = keys.split("\n").filter(Boolean).map((key) => key.split("/").at(-1)!.replace("-", "/"));
  assert.deepEqual(new Set(stored), subnets);
  // Nobody's lost races are left behind.
  const leases = (await etcd.ctl("lease", "list")).split("\n").slice(1).filter(Boolean);
  assert.equal(leases.length, HOSTS);
});
