/** The store suite on etcd: in memory, and on real ones. */
import assert from "node:assert/strict";
import { fails, lease, until, watching } from "../../conformance/store_case.ts";
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

Deno.test("a real etcd ends a lease by its own clock, and one that is kept alive not", async () => {
  await using server = await EtcdServer.start();
  const network = await realNetworks(server, {})();
  const [store, other] = [network.open(), network.open()];
  const short = await store.create(lease(1, { ttl: 1 }));
  const long = await store.create(lease(2, { ttl: 600 }));
  await watching(other, long.revision, async (next) => {
    await until(next, ({ records }) => records.length < 2);
  });
  const { records, past } = await other.read();
  assert.deepEqual(records.map(({ key }) => key), [long.key]);
  assert.deepEqual(past.map(({ key, how, node }) => [key, how, node]), [[short.key, "expired", short.node]]);
  await fails(store.renew(short.key, { expected: short.revision, ttl: 1 }), "conflict");
  assert.match(await server.ctl("lease", "list"), /found 1 leases/);
  await network.close();
});
