import assert from "node:assert/strict";
import { portsInDoubt } from "../../doctor/checks/ports.ts";
import { type Changed, factsOf, link, proxy, tunnel } from "./facts.ts";

const wireguard = link("flan-wg", { wireguard: { listenPort: 51820, publicKey: "" } });
function inDoubt(changed: Changed): readonly number[] {
  const { network, kernel } = factsOf(changed);
  return "seen" in network && "seen" in kernel ? portsInDoubt(network.seen, kernel.seen) : [];
}

Deno.test("ports: only those that the network's own do not have are looked for among the processes", () => {
  assert.deepEqual(inDoubt({}), [], "a device of VXLAN that is up has its port");
  assert.deepEqual(inDoubt({ gone: ["flan.1"] }), [8472]);
  assert.deepEqual(inDoubt({ there: [tunnel("flan.1", { up: false })] }), [8472]);
  const socket = { kind: "encap-socket", port: 4500 } as const;
  for (const [planned, port] of [[wireguard, 51820], [proxy, 8285], [socket, 4500]] as const) {
    assert.deepEqual(inDoubt({ network: { planned: [planned] } }), [port]);
    assert.deepEqual(inDoubt({ network: { planned: [planned] }, there: [planned] }), []);
  }
  assert.deepEqual(inDoubt({ network: { planned: [link("eth0")] } }), [], "nothing that has a port");
});
