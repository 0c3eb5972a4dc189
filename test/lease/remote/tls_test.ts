/** Certificates: what is trusted, what is shown, what is said where they do not fit, and how they are exchanged. */
import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import { Connection } from "../../../lease/remote/connection.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";
import { Authority, type Certificate, type Subject } from "../../lib/certificates.ts";
import { EtcdServer } from "../../lib/etcd_server.ts";

const LOOPBACK = "IP:127.0.0.1";

class Place implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-tls-" });
  ca!: Authority;
  #server: Deno.HttpServer | undefined;

  static async make(): Promise<Place> {
    const place = new Place();
    place.ca = await Authority.make(place.dir);
    return place;
  }

  /** Serves over TLS with a new certificate, in place of the former server. */
  async serve(subject: Subject = {}, issuer = this.ca): Promise<string> {
    await this.#server?.shutdown();
    const { cert, key } = await issuer.issue("server", { names: LOOPBACK, ...subject });
    const [pem, keyPem] = [Deno.readTextFileSync(cert), Deno.readTextFileSync(key)];
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: pem, key: keyPem, onListen() {} },
      () => new Response("{}"),
    );
    return `https://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.shutdown();
    await Deno.remove(this.dir, { recursive: true });
  }
}

async function ask(origin: string, credentials: Credentials): Promise<string | FlanError> {
  const connection = new Connection(origin, { credentials, clock: systemClock });
  try {
    return await request(connection);
  } catch (error) {
    assert.ok(error instanceof FlanError, String(error));
    return error;
  } finally {
    connection.close();
  }
}

async function request(connection: Connection): Promise<string> {
  const { body } = await connection.request({
    method: "GET",
    path: "/version",
    timeout: 5000,
    maxBytes: 1000,
  });
  return body;
}

function assertError(answer: string | FlanError, code: string, says: string): FlanError {
  assert.ok(answer instanceof FlanError, "it is refused");
  assert.equal(answer.message.replace(/https?:\/\/\S+:\d+:/, "ORIGIN:"), says);
  assert.equal(answer.code, code);
  return answer;
}

Deno.test("a CA alone is enough, and without it the server is not trusted", async () => {
  await using place = await Place.make();
  const origin = await place.serve();
  assert.equal(await ask(origin, { ca: place.ca.cert }), "{}");
  const untold = assertError(
    await ask(origin, {}),
    "store-denied",
    "Cannot use ORIGIN: its certificate is from an authority that is not trusted here",
  );
  assert.match(untold.hint!, /--store-ca$/);
  const other = await Authority.make(place.dir, "other");
  assertError(
    await ask(origin, { ca: other.cert }),
    "store-denied",
    `Cannot use ORIGIN: its certificate is not from the authority in ${other.cert}`,
  );
});

Deno.test("a server's certificate that has expired, or is for another host, is said to be so", async () => {
  await using place = await Place.make();
  const credentials = { ca: place.ca.cert };
  assertError(
    await ask(await place.serve({ days: -1 }), credentials),
    "store-denied",
    "Cannot use ORIGIN: its certificate has expired",
  );
  assertError(
    await ask(await place.serve({ names: "DNS:example.org,IP:192.0.2.1" }), credentials),
    "store-denied",
    "Cannot use ORIGIN: its certificate is for example.org or 192.0.2.1, not for 127.0.0.1",
  );
});

Deno.test("a server that wants a certificate of this host says which are no good", async () => {
  await using server = await EtcdServer.start({ tls: true, clientCerts: true });
  const origin = `https://${server.endpoint}`;
  const ca = server.ca!.cert;
  assert.match(await ask(origin, { ca, ...server.client }) as string, /etcdserver/);
  const none = assertError(
    await ask(origin, { ca }),
    "store-denied",
    "Cannot use ORIGIN: it wants a certificate of this host (BadCertificate)",
  );
  assert.match(none.hint!, /--store-cert and --store-key$/);
  const other = await Authority.make(server.dir, "other");
  for (const shown of [await other.issue("foreign"), await server.ca!.issue("old", { days: -1 })]) {
    assertError(
      await ask(origin, { ca, ...shown }),
      "store-denied",
      `Cannot use ORIGIN: it refuses this host's certificate ${shown.cert} (BadCertificate)`,
    );
  }
});

Deno.test("TLS with a port that does not speak it, and the other way round, is said to be so", async () => {
  await using place = await Place.make();
  const tls = await place.serve();
  const plain = assertError(
    await ask(tls.replace("https", "http"), {}),
    "store-reply",
    "Cannot use ORIGIN: its answer is not HTTP",
  );
  assert.match(plain.hint!, /over TLS, --store begins with etcds:/);
  await using page = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response(""));
  const over = assertError(
    await ask(`https://127.0.0.1:${page.addr.port}`, { ca: place.ca.cert }),
    "store-reply",
    "Cannot use ORIGIN: it does not speak TLS",
  );
  assert.match(over.hint!, /without TLS, --store begins with etcd:/);
  await using etcd = await EtcdServer.start();
  const hangs = await ask(`https://${etcd.endpoint}`, {});
  assert.ok(hangs instanceof FlanError && hangs.code === "store");
  // It closes the connection, and whether the rest of what was sent to it is answered by a reset is chance.
  assert.match(hangs.message, /: (it hangs up when TLS begins|it broke the connection off)$/);
  assert.match(hangs.hint!, /without TLS/);
});

const files: [
  name: string,
  setting: keyof Credentials,
  text: (other: Certificate) => string,
  says: string,
][] = [
  ["empty", "ca", () => "\n", "--store-ca PATH: it is empty"],
  ["garbage", "ca", () => "garbage\n", "--store-ca PATH: it holds no PEM certificate"],
  ["a key", "ca", ({ key }) => Deno.readTextFileSync(key), "--store-ca PATH: it holds no PEM certificate"],
  [
    "broken PEM",
    "ca",
    () => pem("CERTIFICATE", "!"),
    "--store-ca PATH: a certificate in it cannot be parsed",
  ],
  ["no DER", "ca", () => pem("CERTIFICATE", "AAAA"), "--store-ca PATH: a certificate in it cannot be parsed"],
  ["garbage", "cert", () => "garbage", "--store-cert PATH: it holds no PEM certificate"],
  [
    "no DER",
    "cert",
    () => pem("CERTIFICATE", "AAAA"),
    "--store-cert PATH: a certificate in it cannot be parsed",
  ],
  ["garbage", "key", () => "garbage", "--store-key PATH: it holds no PEM private key"],
  ["no DER", "key", () => pem("PRIVATE KEY", "AAAA"), "--store-key PATH: its key cannot be parsed"],
  ["encrypted", "key", () => pem("ENCRYPTED PRIVATE KEY", "AAAA"), "--store-key PATH: it is encrypted"],
  [
    "of another certificate",
    "key",
    ({ key }) => Deno.readTextFileSync(key),
    "--store-key PATH: it is not the key of --store-cert CERT",
  ],
  ["too large", "ca", () => "x".repeat(5_000_000), "--store-ca PATH: it is larger than 4 MiB"],
];

function pem(label: string, body: string): string {
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}

Deno.test("a file that cannot be used is a bad setting, named with its path", async () => {
  await using place = await Place.make();
  const good = { ca: place.ca.cert, ...await place.ca.issue("good") };
  const other = await place.ca.issue("other");
  const path = `${place.dir}/bad.pem`;
  for (const [name, setting, text, says] of files) {
    await Deno.writeTextFile(path, text(other));
    const error = await ask("https://127.0.0.1:9", { ...good, [setting]: path });
    const expected = says.replace("PATH", path).replace("CERT", good.cert);
    assert.ok(error instanceof FlanError, name);
    assert.deepEqual([error.code, error.message], ["invalid", `Cannot use ${expected}`], name);
  }
  const missing = await ask("https://127.0.0.1:9", { ca: `${place.dir}/none.pem` });
  assert.match((missing as FlanError).message, /none\.pem: No such file or directory/);
  const folder = await ask("https://127.0.0.1:9", { ca: place.dir });
  assert.match((folder as FlanError).message, /: it is not a file$/);
});

Deno.test("a new authority and a new certificate are taken up while a client runs", async () => {
  await using server = await EtcdServer.start({ tls: true, clientCerts: true });
  const [ca, mine] = [`${server.dir}/shown-ca.pem`, `${server.dir}/mine.pem`];
  const key = `${server.dir}/mine.key`;
  const copy = async (authority: Authority, certificate: Certificate) => {
    await Deno.copyFile(authority.cert, ca);
    await Deno.copyFile(certificate.cert, mine);
    await Deno.copyFile(certificate.key, key);
  };
  await copy(server.ca!, server.client!);
  const connection = new Connection(`https://${server.endpoint}`, {
    credentials: { ca, cert: mine, key },
    clock: systemClock,
  });
  await request(connection);
  await server.stop();
  // The whole chain is another one now.
  await server.issueAll();
  await server.restart();
  await assert.rejects(
    request(connection),
    (error) => error instanceof FlanError && error.code === "store-denied",
  );
  await copy(server.ca!, server.client!);
  await request(connection);
  connection.close();
});

Deno.test("while files do not fit together those that did are used, and the error tells of it", async () => {
  await using place = await Place.make();
  const origin = await place.serve();
  const { cert, key } = await place.ca.issue("mine");
  const connection = new Connection(origin, {
    credentials: { ca: place.ca.cert, cert, key },
    clock: systemClock,
  });
  await request(connection);
  await Deno.writeTextFile(place.ca.cert, "half a fi");
  assert.equal(await request(connection), "{}");
  const other = await Authority.make(place.dir, "other");
  const elsewhere = await place.serve({}, other);
  connection.close();
  const stale = new Connection(elsewhere, {
    credentials: { ca: `${place.dir}/ca2.pem` },
    clock: systemClock,
  });
  await Deno.copyFile(`${place.dir}/mine.pem`, `${place.dir}/ca2.pem`);
  await assert.rejects(request(stale));
  await Deno.writeTextFile(`${place.dir}/ca2.pem`, "half a fi");
  await assert.rejects(request(stale), (error) => {
    assert.ok(error instanceof FlanError && error.code === "store-denied");
    assert.equal(error.hint, `Cannot use --store-ca ${place.dir}/ca2.pem: it holds no PEM certificate`);
    return true;
  });
  await Deno.copyFile(other.cert, `${place.dir}/ca2.pem`);
  assert.equal(await request(stale), "{}");
  stale.close();
});
