/** TLS: by the server itself, and by nginx in front of it that asks for client certificates. */
import assert from "node:assert/strict";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { systemClock } from "../../../agent/clock.ts";
import { HttpDocument } from "../../../lease/http/http_document.ts";
import { HttpStore } from "../../../lease/http/http_store.ts";
import { LOOK } from "../../../lease/http/listener.ts";
import { type Level, type Logger, silent } from "../../../net/log.ts";
import { config, fails, lease, watching } from "../../conformance/store_case.ts";
import { Authority } from "../../lib/certificates.ts";
import { Nginx, nginxMissing } from "../../lib/nginx.ts";
import { ServedStore } from "./served.ts";

const names = "IP:127.0.0.1";

/** A log whose lines can be waited for. */
class Lines implements Logger {
  readonly #lines: string[] = [];
  #news = Promise.withResolvers<void>();

  log(_level: Level, message: string): void {
    this.#lines.push(message);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async line(pattern: RegExp): Promise<void> {
    while (!this.#lines.some((line) => pattern.test(line))) await this.#news.promise;
  }
}

function storeAt(url: string, credentials: Credentials): HttpStore {
  const document = new HttpDocument(new URL(url), { clock: systemClock, credentials });
  return new HttpStore(document, { clock: systemClock, log: silent });
}

Deno.test("a server with TLS and a token is used by whoever trusts its authority and has the token", async () => {
  await using served = await ServedStore.start(async (dir) => {
    const authority = await Authority.make(dir);
    Deno.writeTextFileSync(`${dir}/token`, "secret\n");
    return { tls: await authority.issue("server", { names }), tokenFile: `${dir}/token` };
  });
  assert.match(served.url, /^https:/);
  const tokenFile = `${served.dir}/token`;
  const store = served.store({ credentials: { ca: `${served.dir}/ca.pem`, tokenFile } });
  const { revision } = await store.writeConfig(config, 0);
  await watching(store, revision, async (next) => {
    await store.create(lease(1));
    assert.deepEqual((await next()).records.map(({ node }) => node), ["node-1"]);
  });
  const distrusting = await fails(served.store({ credentials: { tokenFile } }).read(), "store-denied");
  assert.match(distrusting.hint!, /--store-ca/);
  await fails(served.store({ credentials: { ca: `${served.dir}/ca.pem` } }).read(), "store-denied");
});

Deno.test("a key of another certificate is refused as what it is", async () => {
  const started = ServedStore.start(async (dir) => {
    const authority = await Authority.make(dir);
    const [one, other] = [
      await authority.issue("server", { names }),
      await authority.issue("other", { names }),
    ];
    return { tls: { cert: one.cert, key: other.key } };
  });
  await assert.rejects(started, {
    code: "invalid",
    message: "Cannot serve over TLS: --tls-key is not the key of the certificate in --tls-cert",
  });
});

Deno.test("a server serves on with a new certificate when its files are exchanged, and with the old one meanwhile", async () => {
  const log = new Lines();
  await using served = await ServedStore.start(async (dir) => {
    const authority = await Authority.make(dir);
    const tls = await authority.issue("server", { names });
    // Real time, but the files are looked at again and again.
    const sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(ms === LOOK ? 5 : ms, signal);
    return { tls, log, clock: { ...systemClock, sleep } };
  });
  const next = await Authority.make(served.dir, "next");
  const { cert, key } = await next.issue("renewed", { names });
  const old = served.store({ credentials: { ca: `${served.dir}/ca.pem` } });
  await old.writeConfig(config, 0);
  // The one file of the pair first, as whoever renews it does.
  Deno.renameSync(cert, `${served.dir}/server.pem`);
  await log.line(/^Cannot use the new --tls-cert .*server\.pem, the old one serves on: /);
  assert.equal((await old.read()).revision, 1);
  await watching(old, 1, async (seen) => {
    const changed = seen();
    while (served.waiting === 0) await systemClock.turn();
    Deno.renameSync(key, `${served.dir}/server.key`);
    await log.line(/^Serving with the new certificate/);
    const store = served.store({ credentials: { ca: next.cert } });
    for (;;) {
      // Between the old and the new one the port is closed for some milliseconds.
      if (await store.read().then(() => true, () => false)) break;
    }
    // Whoever waits at the old one is told there.
    await store.create(lease(1));
    assert.equal((await changed).records.length, 1);
  });
  await fails(served.store({ credentials: { ca: `${served.dir}/ca.pem` } }).read(), "store-denied");
});

Deno.test({
  name: `nginx in front asks for client certificates, and the store works through it${nginxMissing ?? ""}`,
  ignore: nginxMissing !== undefined,
  async fn() {
    await using served = await ServedStore.start();
    const authority = await Authority.make(served.dir);
    const [server, host, stranger] = [
      await authority.issue("server", { names }),
      await authority.issue("host"),
      await (await Authority.make(served.dir, "other")).issue("stranger"),
    ];
    await using nginx = await Nginx.start(served.dir, {
      ...server,
      clients: authority.cert,
      upstream: new URL(served.url).host,
    });
    const url = `https://127.0.0.1:${nginx.port}/network.json`;
    const ca = authority.cert;
    const store = storeAt(url, { ca, ...host });
    const { revision } = await store.writeConfig(config, 0);
    await watching(store, revision, async (next) => {
      await store.create(lease(1));
      assert.deepEqual((await next()).records.map(({ node }) => node), ["node-1"]);
    });
    assert.deepEqual(await store.inspect(), []);
    const [without, wrong] = [storeAt(url, { ca }), storeAt(url, { ca, ...stranger })];
    await assert.rejects(without.read(), { code: "store-denied", hint: /--store-cert/ });
    await assert.rejects(wrong.read(), { code: "store-denied", hint: /--store-cert/ });
    // The front stands, and what is behind it does not.
    await served.stop();
    const away = await fails(store.read(), "store");
    assert.match(away.message, /502/);
    for (const one of [store, without, wrong]) one.close();
  },
});
