/** Ten thousand peers: each has its route in the proxy, and packets pass as with two. */
import assert from "node:assert/strict";
import { showProxy } from "../lib/ask_proxy.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { udp } from "../lib/planes.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";

const PEERS = 10_000;
const STREAM_PORT = 7107;

/** A network with hosts that exist in the store only, all of them above 10.1.0.0/16. */
function document(): string {
  const expires = Math.floor(Date.now() / 1000) + 86_400;
  const leases = Array.from({ length: PEERS }, (_, i) => {
    const [high, low] = [(i >> 8) + 2, i & 255];
    const value = { PublicIP: `198.18.${high}.${low || 254}`, PublicIPv6: null };
    return [`10.${high}.${low}.0-24`, { revision: 2 + i, expires, value }] as const;
  });
  return JSON.stringify({
    schema: "flan.network/v1",
    revision: PEERS + 2,
    config: {
      revision: 1,
      value: {
        Network: "10.0.0.0/8",
        SubnetLen: 24,
        SubnetMin: "10.1.0.0",
        SubnetMax: "10.1.255.0",
        Backend: { Type: "udp" },
      },
    },
    leases: Object.fromEntries(leases),
    past: {},
  });
}

hostTest("packets pass beside ten thousand routes", { lab: "many", hosts: 2, plane: udp }, async (hosts) => {
  Deno.writeTextFileSync(`${hosts.lab.directory}/network.json`, document());
  const [from, to] = await Promise.all(hosts.lab.hosts.map((host) => hosts.join(host))) as [Member, Member];
  for (const { host, agent } of [from, to]) {
    await agent.err.until("all routes", async () => (await showProxy(host))?.routes.length === PEERS + 1);
  }
  await hosts.allReach([from, to]);
  const deno = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];
  await hosts.start(to.host, [...deno, "receive", `${STREAM_PORT}`]).out.line(/listening/);
  const argv = [...deno, "send", `${STREAM_PORT}`, "32", "1", to.container];
  const { code, stdout, stderr } = await hosts.lab.on(from.host, argv);
  assert.equal(code, 0, stderr);
  const [{ sent, received }] = JSON.parse(stdout) as [Transfer];
  assert.equal(received, sent);
});
