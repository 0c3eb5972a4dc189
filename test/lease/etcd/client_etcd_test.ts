/** The client against a real etcd: TLS, users, tokens, and members that go away. */
import assert from "node:assert/strict";
import { EtcdClient } from "../../../lease/etcd/client.ts";
import { EtcdError } from "../../../lease/etcd/gateway.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";
import { systemClock } from "../../../agent/clock.ts";
import { EtcdServer, freePorts } from "../../lib/etcd_server.ts";

const PREFIX = "/coreos.com/network";
const config = { key: btoa(`${PREFIX}/config`) };

function clientOf(server: EtcdServer, credentials: Credentials = {}, others: readonly string[] = []) {
  const scheme = server.ca === undefined ? "http" : "https";
  const origins = [...others, `${scheme}://${server.endpoint}`];
  return new EtcdClient({ origins, credentials, clock: systemClock, prefix: PREFIX });
}

/** What this host shows to a server with everything switched on. */
function fullCredentials(server: EtcdServer, password = "flan-secret"): Credentials {
  const passwordFile = `${server.dir}/password`;
  Deno.writeTextFileSync(passwordFile, `${password}\n`);
  const tls = server.ca === undefined ? {} : { ca: server.ca.cert, ...server.client };
  return { ...tls, user: "flan", passwordFile };
}

async function denied(work: Promise<unknown>): Promise<FlanError> {
  const error = await work.then((value) => assert.fail(JSON.stringify(value)), (error) => error);
  assert.ok(error instanceof FlanError, String(error));
  assert.equal(error.code, "store-denied", error.message);
  return error;
}

function revisionOf(message: unknown): string {
  return (message as { header: { revision: string } }).header.revision;
}

const forms = [
  { name: "plain", options: {} },
  { name: "with TLS", options: { tls: true } },
  { name: "with client certificates", options: { tls: true, clientCerts: true } },
  { name: "with users", options: { auth: true } },
  { name: "with client certificates and users", options: { tls: true, clientCerts: true, auth: true } },
] as const;

for (const { name, options } of forms) {
  Deno.test(`an etcd ${name} is read, written and watched`, async () => {
    await using server = await EtcdServer.start(options);
    const { ca, cert, key, user, passwordFile } = fullCredentials(server);
    const client = clientOf(server, {
      ca,
      ...("clientCerts" in options ? { cert, key } : {}),
      ...("auth" in options ? { user, passwordFile } : {}),
    });
    const put = { request_put: { ...config, value: btoa("{}") } };
    assert.equal((await client.call("kv/txn", { success: [put] })).succeeded, true);
    const read = await client.call("kv/range", config);
    assert.equal((read.kvs as { value: string }[])[0]!.value, btoa("{}"));
    const stop = new AbortController();
    const watch = client.watch(
      { create_request: { ...config, start_revision: revisionOf(read) } },
      { signal: stop.signal, lifetime: 20_000 },
    );
    assert.equal((await watch.next()).value!.created, true);
    const event = (await watch.next()).value!;
    assert.equal(revisionOf(event), revisionOf(read));
    const end = watch.next();
    stop.abort();
    assert.equal((await end).done, true);
    const grant = await client.call("lease/grant", { TTL: "60" });
    assert.equal((await client.call("lease/keepalive", { ID: grant.ID! })).TTL, "60");
    assert.deepEqual((await client.probe()).map(({ error }) => error), [undefined]);
    client.close();
  });
}

Deno.test("users: every way to be denied has a sentence of its own", async () => {
  await using server = await EtcdServer.start({ tls: true, clientCerts: true, auth: true });
  const credentials = fullCredentials(server);
  const { user: _, passwordFile: __, ...nobody } = credentials;
  const named = await server.ca!.issue("named", { subject: "/CN=flan" });
  const wrong = `${server.dir}/wrong`;
  await Deno.writeTextFile(wrong, "guess");
  const cases: [Credentials, RegExp, RegExp | undefined][] = [
    [nobody, /: it wants a user and a password$/, /--store-user/],
    [
      { ...credentials, passwordFile: wrong },
      /: wrong password for user "flan", or no such user$/,
      undefined,
    ],
    [{ ...credentials, user: "nobody" }, /: wrong password for user "nobody", or no such user$/, undefined],
    [{ ...credentials, ...named }, /no client certificate with a CN$/, /no CN/],
  ];
  for (const [shown, says, hint] of cases) {
    const client = clientOf(server, shown);
    for (const work of [() => client.call("kv/range", config), () => Array.fromAsync(watching(client))]) {
      const error = await denied(work());
      assert.match(error.message, says);
      if (hint !== undefined) assert.match(error.hint!, hint);
      assert.ok(!/guess|flan-secret/.test(Deno.inspect(error)), "no password is shown");
    }
    client.close();
  }
});

function watching(client: EtcdClient, key = config.key) {
  const limits = { signal: new AbortController().signal, lifetime: 20_000 };
  return client.watch({ create_request: { key } }, limits);
}

Deno.test("users: a key that the role does not cover is denied to calls and watches", async () => {
  await using server = await EtcdServer.start({ auth: true });
  const client = clientOf(server, fullCredentials(server));
  for (
    const work of [
      () => client.call("kv/range", { key: btoa("/other") }),
      () => Array.fromAsync(watching(client, btoa("/other"))),
    ]
  ) {
    const error = await denied(work());
    assert.match(
      error.message,
      /etcd denies user "flan" permission for (kv\/range|watch) below \/coreos\.com\/network$/,
    );
    assert.equal(
      error.hint,
      "etcdctl role grant-permission ROLE readwrite /coreos.com/network/ --prefix=true",
    );
  }
  client.close();
});

/** Makes the user anew with another password, by which etcd forgets the tokens it gave. */
async function changePassword(server: EtcdServer, password: string): Promise<void> {
  await server.ctl("user", "delete", "flan");
  await server.ctl("user", "add", `flan:${password}`);
  await server.ctl("user", "grant-role", "flan", "flan");
}

Deno.test("users: a token that is no longer good is renewed once, with the password as it is now", async () => {
  await using server = await EtcdServer.start({ auth: true });
  const credentials = fullCredentials(server);
  const client = clientOf(server, credentials);
  await client.call("kv/range", config);
  await changePassword(server, "second");
  assert.match((await denied(client.call("kv/range", config))).message, /wrong password/);
  await Deno.writeTextFile(credentials.passwordFile!, "second");
  await client.call("kv/range", config);
  await changePassword(server, "third");
  await Deno.writeTextFile(credentials.passwordFile!, "third\r\n");
  const watch = watching(client);
  assert.equal((await watch.next()).value!.created, true);
  await watch.return(undefined);
  client.close();
});

Deno.test("users: a password file that was good and is gone is trouble, one that never was is a bad setting", async () => {
  await using server = await EtcdServer.start({ auth: true });
  const credentials = fullCredentials(server);
  const client = clientOf(server, credentials);
  await client.call("kv/range", config);
  await Deno.remove(credentials.passwordFile!);
  await client.call("kv/range", config);
  await changePassword(server, "flan-secret");
  assert.match(
    (await denied(client.call("kv/range", config))).message,
    /--store-password-file .*No such file/,
  );
  const late = clientOf(server, credentials);
  await assert.rejects(
    late.call("kv/range", config),
    (error) => error instanceof FlanError && error.code === "invalid",
  );
  late.close();
  await Deno.writeTextFile(credentials.passwordFile!, "flan-secret");
  await client.call("kv/range", config);
  client.close();
});

Deno.test("users: a user is no trouble to an etcd whose auth is off, or is switched on later", async () => {
  await using server = await EtcdServer.start();
  const client = clientOf(server, fullCredentials(server));
  await client.call("kv/range", config);
  await server.enableAuth();
  await client.call("kv/range", config);
  client.close();
});

Deno.test("what etcd refuses comes with its gRPC code", async () => {
  await using server = await EtcdServer.start();
  const client = clientOf(server);
  const refused = async (work: Promise<unknown>, code: number) =>
    await assert.rejects(work, (error) => error instanceof EtcdError && error.code === code);
  await refused(client.call("lease/revoke", { ID: "77" }), 5);
  await refused(client.call("kv/range", { ...config, revision: "99" }), 11);
  await refused(client.call("kv/range", {}), 3);
  client.close();
});

Deno.test("a member that is killed, and then is there again, is used again", async () => {
  await using first = await EtcdServer.start();
  const [port] = freePorts(1);
  const client = clientOf(first, {}, [`http://127.0.0.1:${port}`]);
  await client.call("kv/range", config);
  await first.kill();
  await assert.rejects(client.call("kv/range", config), (error) => {
    assert.ok(error instanceof FlanError && error.code === "store");
    assert.match(error.message, /^Cannot use any of 2 etcd endpoints: .*: connection refused$/);
    return true;
  });
  await first.restart();
  await client.call("kv/range", config);
  client.close();
});

for (const way of ["stop", "kill"] as const) {
  Deno.test(`a watch notices at once that its etcd is gone (${way})`, async () => {
    await using server = await EtcdServer.start();
    const client = clientOf(server);
    const watch = watching(client);
    await watch.next();
    // etcd that is stopped ends the stream, or says on it that it does.
    const end = watch.next().catch((error) => error);
    await server[way]();
    const seen = await end;
    assert.ok(seen instanceof FlanError ? seen.code === "store" : seen.done && way === "stop", String(seen));
    client.close();
  });
}
