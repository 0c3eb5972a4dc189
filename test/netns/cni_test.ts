/** Containers that the real CNI plugins wire up by what flan wrote reach one another across hosts. */
import assert from "node:assert/strict";
import { run } from "../../cmd/demo/shell.ts";
import { addContainer, type Container, readSubnetEnv, removeContainer } from "../lib/cni.ts";
import { type Hosts, hostTest } from "../lib/hosts.ts";

const where = { lab: "cni", hosts: 2 };

hostTest("containers of Debian's CNI plugins reach one another by subnet.env", where, async (hosts, t) => {
  const agents = await Promise.all(hosts.lab.hosts.map((host) => hosts.up(host, ["--ip-masq"])));
  const subnets = await Promise.all(agents.map((agent) => agent.out.line(/^\d/)));
  const containers: Container[] = [];
  try {
    for (const host of hosts.lab.hosts) containers.push(await addContainer(host, "a"));
    const [one, two] = containers as [Container, Container];
    await Promise.all(agents.map((agent, i) =>
      agent.err.until("the route to the other", async () => {
        const routes = await hosts.show(hosts.lab.hosts[i]!, "ip", "route show proto 113");
        return routes.some(({ dst }) => dst === subnets[1 - i]);
      })
    ));

    await t.step("each has an address of its host's subnet, and the bridge has the first one", () => {
      containers.forEach((container, i) => {
        const prefix = subnets[i]!.replace(/\.0\/24$/, "");
        assert.equal(container.gateway, `${prefix}.1`);
        assert.ok(container.address.startsWith(`${prefix}.`), container.address);
      });
    });

    await t.step(
      "packets of the overlay's MTU go undivided both ways, with the containers' own addresses",
      async () => {
        for (const [from, to] of [[one, two], [two, one]] as const) {
          const fits = await within(from, [
            "ping",
            "-n",
            "-c",
            "1",
            "-W",
            "10",
            "-M",
            "do",
            "-s",
            "1422",
            to.address,
          ]);
          assert.equal(fits.code, 0, fits.stdout + fits.stderr);
          const more = await within(from, [
            "ping",
            "-n",
            "-c",
            "1",
            "-W",
            "10",
            "-M",
            "do",
            "-s",
            "1423",
            to.address,
          ]);
          assert.match(more.stdout + more.stderr, /message too long/i);
          assert.equal(await seenFrom(hosts, { from, to }), from.address);
        }
      },
    );

    await t.step("a shell that sources the file has what Docker is started with", async () => {
      const [host] = hosts.lab.hosts;
      const script = `. "$0" && echo "--bip=$FLANNEL_SUBNET --mtu=$FLANNEL_MTU --ip-masq=$FLANNEL_IPMASQ"`;
      const { stdout } = await run(["sh", "-c", script, `${host!.runDir}/subnet.env`]);
      assert.equal(stdout.trim(), `--bip=${one.gateway}/24 --mtu=1450 --ip-masq=true`);
      assert.deepEqual(Object.keys(readSubnetEnv(host!)), [
        "FLANNEL_NETWORK",
        "FLANNEL_SUBNET",
        "FLANNEL_MTU",
        "FLANNEL_IPMASQ",
      ]);
    });
  } finally {
    for (const container of containers) await removeContainer(container);
  }
});

function within({ namespace }: Container, argv: readonly string[]) {
  return run(["ip", "netns", "exec", namespace, ...argv]);
}

/** The source address that `to` sees of a packet from `from`. */
async function seenFrom(hosts: Hosts, { from, to }: { from: Container; to: Container }): Promise<string> {
  const script = `
    const server = Deno.listen({ port: 7121 });
    console.log("listening");
    const connection = await server.accept();
    console.log((connection.remoteAddr as Deno.NetAddr).hostname);
  `;
  const watch = hosts.start({ ...to.host, namespace: to.namespace }, [
    Deno.execPath(),
    "eval",
    "--quiet",
    "--ext=ts",
    script,
  ]);
  await watch.out.line(/^listening$/);
  const { code, stderr } = await within(from, [
    Deno.execPath(),
    "eval",
    "--quiet",
    `await Deno.connect({ hostname: "${to.address}", port: 7121 })`,
  ]);
  assert.equal(code, 0, stderr);
  return await watch.out.line(/^\d/);
}
