/** Hosts over `flan store serve`: it may go away and come back under them. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { joinAll, SERVER, serverAddress } from "../lib/etcd_hosts.ts";
import { Endurance } from "../lib/endurance.ts";
import { hostTest } from "../lib/hosts.ts";
import { outlives } from "../lib/outage.ts";

const PORT = 4380;

hostTest("hosts outlive a restart of the server of their store, and its death", {
  lab: "serve",
  hosts: 2,
  store: `http://${serverAddress}:${PORT}/network.json`,
}, async (hosts, t) => {
  const server = await hosts.lab.addServer(SERVER);
  const token = `${hosts.lab.directory}/token`;
  Deno.writeTextFileSync(token, "secret-of-a-test\n", { mode: 0o600 });
  const serve = async () => {
    const args = ["store", "serve", "--listen", `${serverAddress}:${PORT}`, "--token-file", token];
    const store = `file:${hosts.lab.directory}/served/network.json`;
    const process = hosts.start(server, flanCommand([...args, "--store", store]));
    await process.err.line(/ info Serving /);
    return process;
  };
  let serving = await serve();
  const members = await joinAll({ hosts }, ["--store-token-file", token]);
  const endurance = await Endurance.start(hosts, members);

  for (const [signal, code] of [["SIGTERM", 143], ["SIGKILL", 137]] as const) {
    await t.step(`${signal}, and a new start`, () =>
      outlives(members, {
        begin: async () => assert.equal((await serving.end(signal)).code, code),
        lasts: 2000,
        end: async () => serving = await serve(),
      }, endurance));
  }

  await t.step("the new server hears of a host that leaves, and tells the other", async () => {
    const [stays, leaves] = members;
    const { code, stderr } = await hosts.lab.flan(leaves!.host, ["down"]);
    assert.equal(code, 0, stderr);
    await hosts.knows(stays!, [stays!]);
  });
});
