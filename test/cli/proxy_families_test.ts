/** `flan proxy` on a host with a proxy of each family. */
import assert from "node:assert/strict";
import { proxyDir } from "../../proxy/client.ts";
import { ServedProxy, settings } from "../lib/served_proxy.ts";
import { Sandbox } from "./sandbox.ts";

const settings6 = {
  ...settings,
  link: "flan6-0",
  address: "2001:db8::1",
  subnet: "fd00:5:0:1::/64",
  source: "fd00:5:0:1::",
};

/** Both of them, each with a route. */
async function withBoth(
  work: (sandbox: Sandbox, proxies: readonly ServedProxy[]) => Promise<void>,
): Promise<void> {
  using sandbox = new Sandbox();
  const proxies = ([4, 6] as const).map((family) => {
    const dir = proxyDir(`${sandbox.dir}/run`, family);
    Deno.mkdirSync(dir, { recursive: true });
    return new ServedProxy(dir);
  });
  try {
    const [four, six] = proxies.map(({ client }) => client);
    await four!.configure(settings);
    await four!.change({ link: "flan0", put: [["10.5.2.0/24", "192.0.2.2", 8285]], remove: [] });
    await six!.configure(settings6);
    await six!.change({ link: "flan6-0", put: [["fd00:5:0:2::/64", "2001:db8::2", 8285]], remove: [] });
    await work(sandbox, proxies);
  } finally {
    for (const proxy of proxies) await proxy.end();
  }
}

Deno.test("flan proxy shows the routes and the counters of both proxies, IPv4's first", async () => {
  await withBoth(async (sandbox, [, six]) => {
    const routes = await sandbox.flan(["proxy", "routes", "-o", "tsv"]);
    assert.deepEqual(routes.stdout.trim().split("\n").map((line) => line.split("\t")), [
      ["10.5.2.0/24", "192.0.2.2", "8285"],
      ["fd00:5:0:2::/64", "2001:db8::2", "8285"],
    ]);
    const document = JSON.parse((await sandbox.flan(["proxy", "routes", "--json"])).stdout);
    assert.deepEqual([document.proxy, document.ipv6.proxy], [settings, settings6]);

    six!.plane.last.packets = 7;
    const stats = await sandbox.flan(["proxy", "stats"]);
    assert.match(stats.stdout, /^COUNTER +IPV4 +IPV6\nout_packets +0 +7\n/);
    const counted = JSON.parse((await sandbox.flan(["proxy", "stats", "--json"])).stdout);
    assert.deepEqual([counted.counters.out_packets, counted.ipv6.counters.out_packets], [0, 7]);
  });
});

Deno.test("flan proxy answers no where one of two carries nothing, and stop ends both", async () => {
  await withBoth(async (sandbox, [four, six]) => {
    await six!.client.stop();
    await six!.ended;
    const alone = await sandbox.flan(["proxy", "stats"]);
    assert.match(alone.stdout, /^COUNTER +COUNT\n/);
    assert.equal(alone.code, 0);
    const stopped = await sandbox.flan(["proxy", "stop"]);
    assert.equal(stopped.stdout, `stopped the UDP proxy (process ${Deno.pid})\n`);
    await four!.ended;
    assert.equal((await sandbox.flan(["proxy", "stats"])).code, 3);
  });
});
