/** Servers that are not flan's: some will do, others are found out before leases are lost. */
import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import { HttpDocument } from "../../../lease/http/http_document.ts";
import { HttpStore } from "../../../lease/http/http_store.ts";
import { acquire } from "../../../lease/manager.ts";
import type { Clock } from "../../../net/clock.ts";
import { silent } from "../../../net/log.ts";
import { config, fails, lease } from "../../conformance/store_case.ts";
import { ServedStore } from "./served.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** Sleeps of up to two seconds are over at once; longer ones are limits. */
const brisk: Clock = {
  ...systemClock,
  sleep: (ms, signal) => ms > 2000 ? systemClock.sleep(ms, signal) : systemClock.turn(),
};

/** Runs `body` with a store whose server answers as `handler` does. */
async function against(handler: Handler, body: (store: HttpStore) => Promise<void>): Promise<void> {
  const settings = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(settings, handler);
  const url = new URL(`http://127.0.0.1:${server.addr.port}/some/where.json`);
  const store = new HttpStore(new HttpDocument(url, { clock: brisk, credentials: {} }), {
    clock: systemClock,
    log: silent,
  });
  try {
    await body(store);
  } finally {
    store.close();
    await server.shutdown();
  }
}

/** A plain server with conditional PUT and nothing else; `ignored` conditions are not looked at. */
class PlainServer {
  text: string | undefined;
  readonly #ignored: readonly string[];
  #version = 0;

  constructor(ignored: readonly string[] = []) {
    this.#ignored = ignored;
  }

  handle = async (request: Request): Promise<Response> => {
    const etag = this.text === undefined ? undefined : `"v${this.#version}"`;
    const condition = (name: string) => this.#ignored.includes(name) ? null : request.headers.get(name);
    switch (request.method) {
      case "PUT": {
        const body = await request.text();
        const match = condition("if-match");
        if (match !== null && match !== etag || condition("if-none-match") === "*" && etag !== undefined) {
          return new Response("Precondition Failed", { status: 412 });
        }
        const status = this.text === undefined ? 201 : 200;
        this.text = body;
        this.#version++;
        return new Response(null, { status });
      }
      case "DELETE":
        this.text = undefined;
        return new Response(null, { status: 204 });
    }
    if (etag === undefined) return new Response("<h1>Not Found</h1>", { status: 404 });
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304 });
    return new Response(this.text!, { headers: { etag } });
  };
}

Deno.test("any server with conditional PUT will do", async () => {
  const plain = new PlainServer();
  await against(plain.handle, async (store) => {
    await store.writeConfig(config, 0);
    await Promise.all([1, 2, 3, 4].map((i) => store.create(lease(i))));
    assert.equal((await store.read()).records.length, 4);
    assert.deepEqual((await store.inspect()).map(({ code }) => code), ["no-long-poll", "swap-not-proved"]);
  });
});

for (const ignored of ["if-match", "if-none-match"]) {
  Deno.test(`a server that ignores ${ignored} gets no network, and nothing is left there`, async () => {
    const plain = new PlainServer([ignored]);
    await against(plain.handle, async (store) => {
      const error = await fails(store.writeConfig(config, 0), "store-reply");
      assert.match(error.message, /does not do conditional PUT/);
      assert.equal(plain.text, undefined);
    });
  });
}

Deno.test("looking for what is wrong with another server writes nothing there, not even the same again", async () => {
  const plain = new PlainServer();
  await against(plain.handle, (store) => store.writeConfig(config, 0).then(() => {}));
  const { text } = plain;
  const methods = new Set<string>();
  const watched: Handler = (request) => {
    methods.add(request.method);
    return plain.handle(request);
  };
  await against(watched, async (store) => {
    const findings = await store.inspect();
    assert.deepEqual(findings.map(({ code }) => code), ["no-long-poll", "swap-not-proved"]);
  });
  assert.deepEqual([...methods], ["GET"]);
  assert.equal(plain.text, text);
});

/**
 * A server that answers the PUT of the proof of what was begun in its own way. The first PUT is the proof where
 * nothing is yet, the second one writes the network.
 */
function atLastProof(plain: PlainServer, answer: Handler): Handler {
  let puts = 0;
  return (request) => request.method === "PUT" && ++puts === 3 ? answer(request) : plain.handle(request);
}

for (const status of [409, 423, 429, 500, 503]) {
  Deno.test(`a network is kept, with what others leased in it, when its proof ends with ${status}`, async () => {
    const plain = new PlainServer();
    await against(plain.handle, async (other) => {
      const handler = atLastProof(plain, async () => {
        await other.create(lease(1));
        return new Response("slow down", { status });
      });
      await against(handler, async (store) => {
        await fails(store.writeConfig(config, 0), status === 503 ? "store" : "store-reply");
      });
      const { config: kept, records } = await other.read();
      assert.deepEqual([kept?.value, records.map(({ key }) => key)], [config, ["10.5.1.0-24"]]);
    });
  });
}

Deno.test("a network at a server that does not compare is removed only while nobody else has written", async () => {
  for (const isAlone of [true, false]) {
    const plain = new PlainServer();
    await against(plain.handle, async (other) => {
      const handler = atLastProof(plain, async (request) => {
        const headers = new Headers(request.headers);
        headers.delete("if-match");
        const answer = await plain.handle(new Request(request, { headers }));
        if (!isAlone) await other.create(lease(1));
        return answer;
      });
      await against(handler, async (store) => {
        const { message } = await fails(store.writeConfig(config, 0), "store-reply");
        assert.match(message, /ignores If-Match/);
      });
      assert.equal(plain.text === undefined, isAlone);
      if (!isAlone) assert.equal((await other.read()).records.length, 1);
    });
  }
});

Deno.test("a server that calls what is fresh weak holds a network, as soon as its tags are strong", async () => {
  const plain = new PlainServer();
  let weak = 0;
  const apache: Handler = async (request) => {
    const answer = await plain.handle(request);
    if (request.method === "PUT" && answer.ok) weak = 2;
    const etag = answer.headers.get("etag");
    if (request.method === "GET" && etag !== null && weak-- > 0) answer.headers.set("etag", `W/${etag}`);
    return answer;
  };
  await against(apache, async (store) => {
    await store.writeConfig(config, 0);
    await store.create(lease(1));
    assert.equal((await store.read()).records.length, 1);
  });
});

Deno.test("a document that was there and is gone is damage, and not an empty network", async () => {
  const plain = new PlainServer();
  await against(plain.handle, async (store) => {
    await store.writeConfig(config, 0);
    await store.read();
    plain.text = undefined;
    await fails(store.read(), "store-damaged");
    await fails(store.create(lease(1)), "store-damaged");
    assert.equal(plain.text, undefined);
  });
});

const good = '{"schema":"flan.network/v1","revision":3,"leases":{},"past":{}}';
for (const ignored of ["if-match", "if-none-match"]) {
  Deno.test(`leases without a network at a server that ignores ${ignored} stay as they are`, async () => {
    const plain = new PlainServer([ignored]);
    plain.text = good.replaceAll("},", "},\n").replace("{", "{\n");
    const before = JSON.parse(plain.text);
    await against(plain.handle, async (store) => {
      await fails(store.writeConfig(config, 0), "store-reply");
      assert.deepEqual(JSON.parse(plain.text!), before);
    });
  });
}

const tagged = (etag: string, body = good) => new Response(body, { headers: { etag } });
const answers: Readonly<
  Record<string, [code: "store" | "store-reply" | "store-damaged" | "store-denied", Handler]>
> = {
  "no ETag": ["store-reply", () => new Response(good)],
  "a weak ETag": ["store-reply", () => tagged('W/"x"')],
  "an ETag of 100 kB": ["store-reply", () => tagged(`"${"x".repeat(100_000)}"`)],
  "an ETag of 1 MB": ["store-reply", () => tagged(`"${"x".repeat(1_000_000)}"`)],
  "an HTML page": ["store-damaged", () => tagged('"x"', "<!DOCTYPE html><title>Log in</title>")],
  "half of a document": ["store-damaged", () => tagged('"x"', good.slice(0, 40))],
  "another JSON document": ["store-damaged", () => tagged('"x"', "[1,2,3]")],
  "200 MB": ["store-reply", () => tagged('"x"', " ".repeat(200_000_000))],
  "an endless stream": ["store-reply", () => new Response(endless(), { headers: { etag: '"x"' } })],
  "a redirect to itself": ["store-reply", ({ url }) => Response.redirect(url, 302)],
  "401": ["store-denied", () => new Response(null, { status: 401 })],
  "403 with a page": ["store-denied", () => new Response("<b>no</b>", { status: 403 })],
  "418": ["store-reply", () => new Response("I'm a \u001b[2Jteapot", { status: 418 })],
  "a gateway whose server is away": ["store", () => new Response("Bad Gateway", { status: 502 })],
  "304 to no question": ["store-reply", () => new Response(null, { status: 304 })],
};

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1 << 20).fill(32)) });
}

for (const [what, [code, handler]] of Object.entries(answers)) {
  Deno.test(`a server that answers with ${what} is told of as ${code}`, async () => {
    await against(handler, async (store) => {
      const { message } = await fails(store.read(), code);
      assert.match(message, /^Cannot \w+ http:\/\/127\.0\.0\.1:\d+/);
      assert.ok(message.length < 700 && !message.includes("\u001b"), message);
    });
  });
}

Deno.test("of a key that stands twice the last one counts, as in any JSON document", async () => {
  const twice = good.replace('"revision":3', '"revision":9,"revision":3');
  await against(() => tagged('"x"', twice), async (store) => {
    assert.equal((await store.read()).revision, 3);
  });
});

Deno.test("a write whose reply is lost leaks no second subnet", async () => {
  await using served = await ServedStore.start();
  await served.local().writeConfig(config, 0);
  let losing = true;
  const relay: Handler = async (request) => {
    const { pathname, search } = new URL(request.url);
    assert.equal(pathname, "/some/where.json");
    const { method, headers } = request;
    const body = method === "PUT" ? { body: await request.text() } : {};
    const answer = await fetch(served.url + search, { method, headers, ...body });
    const text = await answer.text();
    // The document is written; what the host gets says that nothing came back.
    if (method === "PUT" && losing) return new Response("lost", { status: 504 });
    const nothing = answer.status === 204 || answer.status === 304;
    return new Response(nothing ? null : text, { status: answer.status, headers: answer.headers });
  };
  await against(relay, async (store) => {
    const claim = {
      node: "node-1",
      publicIp: "192.168.0.1",
      backendType: "vxlan",
      backendData: { VNI: 1 },
      ttl: 3600,
    };
    const tools = { clock: systemClock, log: silent };
    await fails(acquire(store, claim, tools), "store");
    const [written] = (await served.local().read()).records;
    losing = false;
    const { subnet } = await acquire(store, claim, tools);
    const { records } = await served.local().read();
    assert.deepEqual(records.map(({ key }) => key), [written!.key]);
    assert.equal(subnet.replace("/", "-"), written!.key);
  });
});
