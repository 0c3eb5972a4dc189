/** What no good server does, done to the store over HTTP: a clear code, and what was seen before stays. */
import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import { HttpDocument } from "../../../lease/http/http_document.ts";
import { HttpStore } from "../../../lease/http/http_store.ts";
import { silent } from "../../../net/log.ts";
import { isPrintable } from "../../../net/text.ts";
import { fails, lease } from "../../conformance/store_case.ts";
import { endlessly, HostileServer, misbehaviours, reply, type Script } from "../../lib/hostile_server.ts";

function storeAt(origin: string): HttpStore {
  const document = new HttpDocument(new URL(`${origin}/network.json`), {
    clock: systemClock,
    credentials: {},
  });
  return new HttpStore(document, { clock: systemClock, log: silent });
}

for (const { name, code, script } of misbehaviours) {
  Deno.test(`a server that ${name} is told of as ${code}, by a reader and a writer`, async () => {
    await using server = new HostileServer(script);
    const store = storeAt(server.origin);
    for (const work of [() => store.read(), () => store.create(lease(1))]) {
      const { message } = await fails(work(), code);
      assert.ok(message.length < 700 && isPrintable(message), message);
    }
    assert.deepEqual(server.requests, Array(2).fill("GET /network.json"));
    store.close();
  });
}

const document = '{"schema":"flan.network/v1","revision":3,"leases":{},"past":{}}';
const good = reply(document).replace("\r\n", '\r\netag: "3"\r\n');

Deno.test("a watch survives everything that a server does, and goes on with the document it had", async () => {
  const scripts: Script[] = [
    ({ write }) => write(good),
    ...misbehaviours.slice(0, 3).map(({ script }) => script),
  ];
  const later = good.replace('"3"', '"4"').replace('"revision":3', '"revision":4');
  await using server = new HostileServer((answer) =>
    (scripts.shift() ?? (({ write }) => write(later)))(answer)
  );
  const store = storeAt(server.origin);
  const troubles: (string | undefined)[] = [];
  const revisions: number[] = [];
  const over = new AbortController();
  const troubled = (error: { code: string } | undefined) => troubles.push(error?.code);
  for await (const { revision } of store.watch(0, over.signal, { troubled })) {
    revisions.push(revision);
    if (revision === 4) over.abort();
  }
  assert.deepEqual(revisions, [3, 4]);
  assert.deepEqual(troubles, ["store", "store-reply", undefined]);
  store.close();
});

Deno.test("an answer without an end is given up at the size of the largest document", async () => {
  await using server = new HostileServer(endlessly(" "));
  const store = storeAt(server.origin);
  await fails(store.read(), "store-reply");
  await server.idle();
  assert.ok(server.sent < 100 * 2 ** 20, String(server.sent));
  store.close();
});
