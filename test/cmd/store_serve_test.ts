/** `flan store serve` as a process of its own. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { FileStore } from "../../lease/file/file_store.ts";
import { HttpDocument } from "../../lease/http/http_document.ts";
import { HttpStore } from "../../lease/http/http_store.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import { isStoreTrouble } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";
import { Sandbox } from "../cli/sandbox.ts";
import { StoreServer } from "../cli/store_server.ts";
import { config, lease } from "../conformance/store_case.ts";
import { LineLog } from "../lib/line_log.ts";

async function withNetwork(sandbox: Sandbox): Promise<FileStore> {
  const store = new FileStore(sandbox.store, { clock: systemClock, log: silent });
  await store.writeConfig(config, 0);
  return store;
}

Deno.test("a file store is served to the lease commands of other hosts, and SIGTERM ends it in order", async () => {
  using sandbox = new Sandbox();
  const local = await withNetwork(sandbox);
  const token = sandbox.write("token", "secret\n");
  await using server = new StoreServer(sandbox, ["--listen", "127.0.0.1:0", "--token-file", token]);
  const url = await server.url();
  await local.create(lease(7));
  const asHost = (args: readonly string[]) => sandbox.flan([...args, "--store", url]);
  const listed = await asHost(["lease", "list", "-o", "value=subnet", "--store-token-file", token]);
  assert.deepEqual([listed.code, listed.stdout], [0, "10.5.7.0/24\n"], listed.stderr);
  const denied = await asHost(["lease", "list"]);
  assert.equal(denied.code, 4);
  assert.match(denied.stderr, /hint: .*--store-token-file/);
  await server.log.line(/Refused a request of 127\.0\.0\.1/);
  const headers = { authorization: "Bearer secret" };
  const first = await fetch(url, { headers });
  await first.body?.cancel();
  const waiting = fetch(`${url}?wait=60`, {
    headers: { ...headers, "if-none-match": first.headers.get("etag")! },
  });
  const ended = server.end("SIGTERM");
  // Where the signal came before the question, nobody listens any more.
  const { status } = await waiting.catch(() => ({ status: 304 }));
  assert.deepEqual([await ended, status], [143, 304]);
  await server.log.line(/Stopped/);
});

Deno.test("a server that starts before the network makes its directory, and Ctrl-C ends it", async () => {
  using sandbox = new Sandbox();
  const store = `file:${sandbox.dir}/new/network.json`;
  await using server = new StoreServer(sandbox, ["--listen", "[::1]:0", "--store", store]);
  const url = await server.url();
  assert.match(url, /^http:\/\/\[::1\]:\d+\/network\.json$/);
  const answer = await fetch(url);
  assert.deepEqual([answer.status, (await answer.json()).error], [404, "no network was started here yet"]);
  assert.equal(await server.end("SIGINT"), 130);
});

Deno.test("strangers with idle connections do not end the server, which serves on when they are gone", async () => {
  using sandbox = new Sandbox();
  await withNetwork(sandbox);
  const token = sandbox.write("token", "secret\n");
  await using server = new StoreServer(sandbox, ["--listen", "127.0.0.1:0", "--token-file", token], {
    within: ["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh"],
  });
  const { hostname, port, href } = new URL(await server.url());
  const idle: Deno.TcpConn[] = [];
  const flood = async () => {
    for (let i = 0; i < 120; i++) idle.push(await Deno.connect({ hostname, port: Number(port) }));
  };
  // Where the port is closed for a moment, that is what was to be reached.
  await flood().catch(() => undefined);
  await server.log.line(/Cannot take connections at 127\.0\.0\.1:\d+: Too many open files/);
  for (const connection of idle) connection.close();
  const headers = { authorization: "Bearer secret" };
  const answers = async (): Promise<number> => {
    for (;;) {
      try {
        const { status, body } = await fetch(href, { headers });
        await body?.cancel();
        return status;
      } catch {
        await systemClock.turn();
      }
    }
  };
  assert.equal(await answers(), 200);
  assert.equal(server.log.matching(/Cannot take connections/).length, 1);
  assert.equal(await server.end("SIGTERM"), 143);
});

Deno.test("a server that is killed while hosts write loses nothing of what it has acknowledged", async () => {
  using sandbox = new Sandbox();
  const local = await withNetwork(sandbox);
  for (let round = 0; round < 3; round++) {
    await using server = new StoreServer(sandbox, ["--listen", "127.0.0.1:0"]);
    const url = new URL(await server.url());
    const acknowledged: LeaseRecord[] = [];
    const enough = Promise.withResolvers<void>();
    const writer = async (host: number) => {
      const tools = { clock: systemClock, credentials: {} };
      const store = new HttpStore(new HttpDocument(url, tools), { clock: systemClock, log: silent });
      try {
        for (let i = 0;; i++) {
          const value = { PublicIP: `192.168.${round}.${host}`, PublicIPv6: null };
          const key = `10.5.${round * 80 + host * 20 + i % 20}.0-24`;
          const held = acknowledged.findLast((one) => one.key === key);
          const record = { key, value, node: `node-${host}`, ttl: 3600 };
          acknowledged.push(
            held === undefined ? await store.create(record) : await store.update(record, held.revision),
          );
          if (acknowledged.length >= 40) enough.resolve();
        }
      } catch (error) {
        // The one write whose answer was lost may have happened or not.
        assert.ok(isStoreTrouble(error), String(error));
      } finally {
        store.close();
      }
    };
    const writing = Promise.all([0, 1, 2, 3].map(writer));
    await Promise.race([enough.promise, writing]);
    await server.end("SIGKILL");
    await writing;
    assert.ok(acknowledged.length >= 40, String(acknowledged.length));
    const there = new Map((await local.read()).records.map((record) => [record.key, record]));
    for (const { key, revision } of acknowledged) {
      assert.ok((there.get(key)?.revision ?? 0) >= revision, `${key} at ${revision} is lost`);
    }
  }
});

const refused: [args: readonly string[], says: RegExp][] = [
  [["--listen", "0.0.0.0:4380"], /without a token.*\nhint: --token-file FILE, or --no-token/],
  [["--listen", "[::]:4380"], /without a token/],
  [["--listen", "4380"], /an address and a port are needed/],
  [["--listen", "127.0.0.1:70000"], /at most 65535/],
  [["--listen", "::1:4380"], /an address and a port are needed/],
  [["--listen", "[127.0.0.1]:4380"], /brackets/],
  [["--listen", "localhost:4380"], /"localhost"/],
  [["--tls-cert", "/c.pem"], /go together/],
  [["--token-file", "/nowhere/token"], /--token-file \/nowhere\/token: No such file/],
  [["--tls-cert", "/nowhere/c", "--tls-key", "/nowhere/k"], /--tls-cert \/nowhere\/c: No such file/],
  [["--store", "http://h:4380/network.json"], /only a file store can be served/],
];

Deno.test("what cannot be served, or would let everybody in by accident, is refused", async () => {
  using sandbox = new Sandbox();
  for (const [args, says] of refused) {
    const { code, stdout, stderr } = await sandbox.flan(["store", "serve", ...args]);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, says);
  }
});

Deno.test("an address that is taken is named", async () => {
  using sandbox = new Sandbox();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const { code, stderr } = await sandbox.flan(["store", "serve", "--listen", address]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`Cannot listen at ${address}: Address already in use`));
});

Deno.test({
  name: "a full disk is told to whoever writes, and the document stays whole",
  ignore: Deno.uid() !== 0,
  async fn() {
    using sandbox = new Sandbox();
    Deno.mkdirSync(`${sandbox.dir}/disk`);
    // A mount namespace of its own, so that the disk ends with the server.
    const mount = `mount -t tmpfs -o size=64k tmpfs ${sandbox.dir}/disk && exec "$@"`;
    const child = sandbox.command(
      ["store", "serve", "--listen", "127.0.0.1:0", "--store", `file:${sandbox.dir}/disk/network.json`],
      { within: ["unshare", "--mount", "sh", "-c", mount, "sh"] },
    ).spawn();
    const log = new LineLog("flan store serve", child.stderr);
    try {
      const url = /http\S+/.exec(await log.line(/Serving .* at http/))![0];
      const put = (text: string, headers: Record<string, string>) =>
        fetch(url, { method: "PUT", headers, body: text });
      const document = (revision: number, padding: number) =>
        `{"schema":"flan.network/v1","revision":${revision},"config":{"revision":1,"value":"${
          "x".repeat(padding)
        }"},"leases":{},"past":{}}`;
      const first = await put(document(1, 100), { "if-none-match": "*" });
      assert.equal(first.status, 204);
      const full = await put(document(2, 200_000), { "if-match": "*" });
      assert.equal(full.status, 507);
      assert.match((await full.json()).error, /No space left on device/);
      const now = await fetch(url);
      assert.equal((await now.json()).revision, 1);
      assert.equal((await put(document(2, 200), { "if-match": first.headers.get("etag")! })).status, 204);
    } finally {
      child.kill("SIGTERM");
      await Promise.all([child.status, log.closed, child.stdout.cancel()]);
    }
  },
});
