/** The store suite on etcd: in memory, and on real ones. */
import { storeSteps, storeSuite } from "../../conformance/store_suite.ts";
import { realNetworks } from "../../lib/etcd_networks.ts";
import { EtcdServer } from "../../lib/etcd_server.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

storeSuite({ name: "fake etcd", open: () => Promise.resolve(fakeNetwork()) });

Deno.test("a real etcd passes the store suite", async (test) => {
  await using server = await EtcdServer.start();
  await storeSteps(test, realNetworks(server, {}));
});

Deno.test("a real etcd with TLS and client certificates passes the store suite", async (test) => {
  await using server = await EtcdServer.start({ tls: true, clientCerts: true });
  await storeSteps(test, realNetworks(server, { ca: server.ca!.cert, ...server.client }));
});

Deno.test("a real etcd with TLS and users passes the store suite", async (test) => {
  await using server = await EtcdServer.start({ tls: true, auth: true, args: ["--bcrypt-cost=4"] });
  const passwordFile = `${server.dir}/password`;
  await Deno.writeTextFile(passwordFile, "flan-secret\n");
  await storeSteps(test, realNetworks(server, { ca: server.ca!.cert, user: "flan", passwordFile }));
});
