/** Pages over HTTP: what a scraper gets, and what whoever means ill does not. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { type Page, servePages } from "../../control/pages.ts";
import type { Clock } from "../../net/clock.ts";
import { type Logger, silent } from "../../net/log.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { KeptLog } from "../lib/reconciling.ts";

const pages: Readonly<Record<string, Page>> = {
  "/well": { status: 200, text: "ok ✓\n" },
  "/ill": { status: 503, text: "no\n", type: "text/x" },
  "/long": { status: 200, text: "x".repeat(8_000_000) },
};

interface At {
  readonly url: string;
  readonly place: { hostname: string; port: number };
}

async function serving(
  work: (at: At) => Promise<void>,
  { clock = systemClock, log = silent }: { clock?: Clock; log?: Logger } = {},
): Promise<void> {
  const stopping = new AbortController();
  const page = (path: string) =>
    path === "/broken"
      ? Promise.reject(new Error("a bug"))
      : Promise.resolve(pages[path] ?? { status: 404, text: "none\n" } as const);
  const served = servePages({ hostname: "127.0.0.1", port: 0 }, {
    page,
    clock,
    log,
    signal: stopping.signal,
  });
  const { hostname, port } = served.place;
  try {
    await work({ url: `http://${hostname}:${port}`, place: served.place });
  } finally {
    stopping.abort();
    await served.ended;
  }
}

/** Sends bytes as they are, and reads until the server hangs up. */
async function say({ place }: At, text: string): Promise<string> {
  using conn = await Deno.connect({ ...place });
  await conn.write(new TextEncoder().encode(text));
  return await new Response(conn.readable).text().catch(() => "");
}

Deno.test("pages: a page comes whole, with its status, type and length, and the query is left out", async () => {
  await serving(async ({ url }) => {
    const well = await fetch(`${url}/well?verbose=1`);
    assert.deepEqual([well.status, await well.text()], [200, "ok ✓\n"]);
    assert.equal(well.headers.get("content-type"), "text/plain; charset=utf-8");
    const ill = await fetch(`${url}/ill`);
    assert.deepEqual([ill.status, await ill.text(), ill.headers.get("content-type")], [
      503,
      "no\n",
      "text/x",
    ]);
    assert.equal((await (await fetch(`${url}/long`)).text()).length, 8_000_000);
    const none = await fetch(`${url}/other`);
    assert.deepEqual([none.status, await none.text()], [404, "none\n"]);
  });
});

Deno.test("pages: HEAD gets the head alone, other methods are refused, and nonsense is told so", async () => {
  await serving(async (at) => {
    const head = await say(at, "HEAD /well HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(head, /\r\nContent-Length: 7\r\n/);
    assert.ok(head.endsWith("\r\n\r\n"));
    assert.match(
      await say(at, "POST /well HTTP/1.1\r\n\r\n"),
      /^HTTP\/1\.1 405 .*\r\n[^]*\r\nAllow: GET, HEAD\r\n/,
    );
    for (
      const bad of ["GET well HTTP/1.1", "GET /well", "GET /well HTTP/2", "get /well HTTP/1.1", "\0\xff"]
    ) {
      assert.match(await say(at, `${bad}\r\n\r\n`), /^HTTP\/1\.1 400 /, bad);
    }
  });
});

Deno.test("pages: a head without an end is hung up on at its limit, and others are served meanwhile", async () => {
  await serving(async (at) => {
    using idle = await Deno.connect({ ...at.place });
    assert.equal(await say(at, `GET /well HTTP/1.1\r\nX: ${"y".repeat(20_000)}`), "");
    assert.equal(await (await fetch(`${at.url}/well`)).text(), "ok ✓\n");
    assert.ok(idle);
  });
});

Deno.test("pages: who says nothing for 5 s is hung up on", async () => {
  const clock = new FakeClock();
  await serving(async ({ place }) => {
    using conn = await Deno.connect({ ...place });
    await clock.untilSleeping();
    await clock.advance(5000);
    assert.equal(await conn.read(new Uint8Array(1)), null);
  }, { clock });
});

Deno.test("pages: a port that is taken is one sentence with what helps", async () => {
  await serving((at) => {
    const again = () =>
      servePages(at.place, {
        page: () => Promise.reject(new Error("not reached")),
        clock: systemClock,
        log: silent,
        signal: new AbortController().signal,
      });
    assert.throws(again, {
      code: "failed",
      message: `Cannot listen at 127.0.0.1:${at.place.port}: Address already in use (os error 98)`,
      hint: "name another one with --listen",
    });
    return Promise.resolve();
  });
});

Deno.test("pages: one that cannot be made is a 500 and a line in the log, and the others are served", async () => {
  const log = new KeptLog();
  await serving(async ({ url }) => {
    const broken = await fetch(`${url}/broken`);
    assert.deepEqual([broken.status, await broken.text()], [
      500,
      "This page cannot be made now; the log says why\n",
    ]);
    assert.equal(await (await fetch(`${url}/well`)).text(), "ok ✓\n");
  }, { log });
  assert.deepEqual(log.lines.map(({ level, message }) => [level, message]), [
    ["error", "Cannot serve /broken: a bug"],
  ]);
});
