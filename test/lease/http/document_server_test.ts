/** The server as any HTTP client finds it. */
import assert from "node:assert/strict";
import { formatDocument, MAX_DOCUMENT, parseDocument } from "../../../lease/document/document.ts";
import { FileStore } from "../../../lease/file/file_store.ts";
import { Access } from "../../../lease/http/access.ts";
import { DocumentServer, MAX_WAITING } from "../../../lease/http/document_server.ts";
import { ServedDocument } from "../../../lease/http/served_document.ts";
import { type Logger, silent } from "../../../net/log.ts";
import { config, lease } from "../../conformance/store_case.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { ServedStore } from "./served.ts";

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function ask({ url }: ServedStore, { method = "GET", path, headers = {}, body }: Asked = {}) {
  const target = path === undefined ? url : new URL(path, url);
  const response = await fetch(target, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The served document with another revision. */
function withRevision(text: string, revision: number): string {
  return formatDocument({ ...parseDocument(text), revision });
}

async function started(): Promise<ServedStore> {
  const served = await ServedStore.start();
  await served.local().writeConfig(config, 0);
  return served;
}

Deno.test("a document is given with its tag, and no cache may keep it", async () => {
  await using served = await started();
  const { status, headers, text } = await ask(served);
  assert.equal(status, 200);
  assert.equal(headers.get("cache-control"), "no-store");
  assert.match(headers.get("etag")!, /^"[0-9a-f]{64}"$/);
  assert.deepEqual(parseDocument(text).config?.value, config);
  const head = await ask(served, { method: "HEAD" });
  assert.deepEqual([head.status, head.text, head.headers.get("etag")], [200, "", headers.get("etag")]);
  assert.equal(head.headers.get("content-length"), String(text.length));
  const known = await ask(served, { headers: { "if-none-match": `W/"x", ${headers.get("etag")}` } });
  assert.deepEqual([known.status, known.text], [304, ""]);
});

Deno.test("other bytes at the same revision have another tag", async () => {
  await using served = await started();
  const first = await ask(served);
  const text = Deno.readTextFileSync(served.path);
  Deno.writeTextFileSync(`${served.path}.new`, text.replace("10.5.0.0", "10.6.0.0"));
  Deno.renameSync(`${served.path}.new`, served.path);
  const second = await ask(served, { headers: { "if-none-match": first.headers.get("etag")! } });
  assert.equal(second.status, 200);
  assert.equal(parseDocument(second.text).revision, parseDocument(first.text).revision);
});

Deno.test("a write needs a condition that is true, a document that can be used, and a larger revision", async () => {
  await using served = await started();
  const { text, headers } = await ask(served);
  const etag = headers.get("etag")!;
  const newer = withRevision(text, 7);
  const put = (condition: Record<string, string>, body: string) =>
    ask(served, { method: "PUT", headers: condition, body });
  assert.equal((await put({}, newer)).status, 428);
  assert.equal((await put({ "if-match": '"other"' }, newer)).status, 412);
  assert.equal((await put({ "if-match": `W/${etag}` }, newer)).status, 412);
  assert.equal((await put({ "if-none-match": "*" }, newer)).status, 412);
  assert.equal((await put({ "if-match": etag }, text)).status, 409);
  assert.equal((await put({ "if-match": etag }, "<html>")).status, 422);
  assert.equal((await put({ "if-match": etag }, newer.slice(0, -9))).status, 422);
  assert.equal((await ask(served)).text, text);
  const written = await put({ "if-match": etag }, newer);
  assert.equal(written.status, 204);
  const now = await ask(served);
  assert.deepEqual([now.text, now.headers.get("etag")], [newer, written.headers.get("etag")]);
  assert.equal((await served.local().read()).revision, 7);
});

Deno.test("a body that is too large is refused before it is read", async () => {
  await using served = await started();
  const { port } = new URL(served.url);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const lines = [
    "PUT /network.json HTTP/1.1",
    "Host: x",
    "If-Match: *",
    `Content-Length: ${MAX_DOCUMENT + 1}`,
  ];
  await connection.write(new TextEncoder().encode([...lines, "", ""].join("\r\n")));
  const answer = new Uint8Array(1000);
  const length = await connection.read(answer);
  assert.match(new TextDecoder().decode(answer.subarray(0, length!)), /^HTTP\/1.1 413 /);
});

Deno.test("only the document is there, and only what a store needs can be done with it", async () => {
  await using served = await started();
  for (const path of ["/", "/network.json/", "/../etc/passwd", "/network.json.backup", "/network.jsom"]) {
    const { status, text } = await ask(served, { path });
    assert.equal(status, 404, path);
    assert.equal(JSON.parse(text).code, "store-reply");
  }
  for (const method of ["DELETE", "POST", "OPTIONS", "PATCH"]) {
    const { status, headers } = await ask(served, { method });
    assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD, PUT"]);
  }
});

Deno.test("whoever waits is told of a change at once, also of one that a local process made", async () => {
  await using served = await started();
  const { headers } = await ask(served);
  const waiting = ask(served, {
    path: "/network.json?wait=3600",
    headers: { "if-none-match": headers.get("etag")! },
  });
  await until(() => served.waiting === 1);
  await served.local().create(lease(1));
  const { status, headers: told, text } = await waiting;
  assert.deepEqual([status, told.get("preference-applied")], [200, "wait=60"]);
  assert.deepEqual([...parseDocument(text).leases.keys()], ["10.5.1.0-24"]);
});

Deno.test("whoever waits for the first document gets it when the network begins", async () => {
  await using served = await ServedStore.start();
  const waiting = ask(served, { path: "/network.json?wait=60" });
  await until(() => served.waiting === 1);
  assert.equal((await ask(served)).status, 404);
  await served.local().writeConfig(config, 0);
  assert.equal((await waiting).status, 200);
});

Deno.test("a server that stops answers those who wait with 304, and lets nobody wait any more", async () => {
  await using served = await started();
  const { headers } = await ask(served);
  const known = { "if-none-match": headers.get("etag")! };
  const waiting = Array.from(
    { length: 20 },
    () => ask(served, { path: "/network.json?wait=60", headers: known }),
  );
  await until(() => served.waiting === 20);
  await served.stop();
  const answers = await Promise.all(waiting);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([304]));
});

Deno.test("a damaged document is a 500 with the reason, until the next writer restores it", async () => {
  await using served = await started();
  await served.local().create(lease(1));
  Deno.writeTextFileSync(served.path, "{");
  const damaged = await ask(served);
  assert.equal(damaged.status, 500);
  assert.equal(JSON.parse(damaged.text).code, "store-damaged");
  const store = served.store();
  await assert.rejects(store.read(), { code: "store-damaged" });
  await store.create(lease(2));
  assert.equal((await store.read()).records.at(-1)?.key, "10.5.2.0-24");
  assert.equal((await ask(served)).status, 200);
});

Deno.test("without a known token nobody reads, and a token to read does not write", async () => {
  const lines: string[] = [];
  const log: Logger = { log: (_level, message) => lines.push(message) };
  await using served = await ServedStore.start((dir) => {
    Deno.writeTextFileSync(`${dir}/write`, "w-one\nw-two\n");
    Deno.writeTextFileSync(`${dir}/read`, "r-one\n");
    return { tokenFile: `${dir}/write`, readTokenFile: `${dir}/read`, log };
  });
  const credentials = (token: string) => {
    const tokenFile = `${served.dir}/mine-${token}`;
    Deno.writeTextFileSync(tokenFile, `${token}\n`);
    return { tokenFile };
  };
  await served.store({ credentials: credentials("w-two") }).writeConfig(config, 0);
  const reader = served.store({ credentials: credentials("r-one") });
  assert.equal((await reader.read()).revision, 1);
  await assert.rejects(reader.create(lease(1)), { code: "store-denied", message: /may only read/ });
  assert.deepEqual((await reader.inspect()).map(({ code }) => code), ["read-only"]);
  for (const token of ["w-on", "w-onee", "w-one,w-two"]) {
    const { headers } = { headers: { authorization: `Bearer ${token}` } };
    assert.equal((await ask(served, { headers })).status, 401, token);
  }
  await assert.rejects(served.store().read(), { code: "store-denied", hint: /--store-token-file/ });
  assert.equal((await served.store({ credentials: credentials("w-one") }).read()).revision, 1);
  for (let i = 0; i < 30; i++) await ask(served);
  assert.equal(lines.filter((line) => line.startsWith("Refused a request")).length, 10);
});

Deno.test("tokens are read again when a file changes, on both sides", async () => {
  await using served = await ServedStore.start((dir) => {
    Deno.writeTextFileSync(`${dir}/write`, "old\n");
    return { tokenFile: `${dir}/write` };
  });
  const tokenFile = `${served.dir}/mine`;
  Deno.writeTextFileSync(tokenFile, "old\n");
  const store = served.store({ credentials: { tokenFile } });
  await store.writeConfig(config, 0);
  Deno.writeTextFileSync(`${served.dir}/write`, "newer\n");
  await assert.rejects(store.read(), { code: "store-denied" });
  Deno.writeTextFileSync(tokenFile, "newer\n");
  assert.equal((await store.read()).revision, 1);
});

Deno.test("token files that cannot be used let nobody in, are told to the log, and to nobody else", async () => {
  const lines: string[] = [];
  const log: Logger = { log: (_level, message) => lines.push(message) };
  await using served = await ServedStore.start((dir) => {
    Deno.writeTextFileSync(`${dir}/write`, "one\n");
    return { tokenFile: `${dir}/write`, log };
  });
  for (
    const harm of [
      () => Deno.writeTextFileSync(`${served.dir}/write`, ""),
      () => Deno.removeSync(`${served.dir}/write`),
    ]
  ) {
    harm();
    lines.length = 0;
    for (const headers of [{}, { authorization: "Bearer one" }, { authorization: "Bearer two" }]) {
      const { status, text } = await ask(served, { headers: headers as Record<string, string> });
      assert.deepEqual([status, JSON.parse(text).code], [500, "store"]);
      assert.doesNotMatch(text, /write|token-file|\//);
    }
    assert.match(lines[0]!, /Cannot use --token-file \/.*write: /);
  }
  for (let i = 0; i < 30; i++) await ask(served);
  assert.ok(lines.length <= 10, String(lines.length));
});

Deno.test("more clients than may wait are told to come back, and those who wait are not disturbed", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flan-http-" });
  try {
    const clock = new FakeClock();
    const tools = { clock, log: silent };
    const store = new FileStore(`${dir}/network.json`, tools);
    await store.writeConfig(config, 0);
    const document = new ServedDocument(store, tools);
    const server = new DocumentServer({ document, access: new Access({}), ...tools });
    const url = "http://127.0.0.1/network.json";
    const etag = (await server.handle(new Request(url), "a")).headers.get("etag")!;
    const wait = () => {
      return server.handle(new Request(`${url}?wait=60`, { headers: { "if-none-match": etag } }), "a");
    };
    const waiting = Array.from({ length: MAX_WAITING }, wait);
    await until(() => server.waiting === MAX_WAITING);
    const refused = await wait();
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    assert.equal((await refused.json()).code, "store");
    // Whoever does not want to wait is answered all the same.
    assert.equal((await server.handle(new Request(url), "a")).status, 200);
    assert.equal(server.waiting, MAX_WAITING);
    await clock.advance(60_000);
    const answers = await Promise.all(waiting);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([304]));
    assert.equal(server.waiting, 0);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** Gives sockets a turn until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
