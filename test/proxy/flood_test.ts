/** A proxy's control socket under hostile and heavy use: bounded in memory and time, and whoever is well-behaved is served. */
import assert from "node:assert/strict";
import { MAX_REQUEST } from "../../proxy/protocol.ts";
import { sendLine, settings, wayOf, withProxy } from "../lib/served_proxy.ts";

const hostile: readonly (readonly [what: string, line: string, answer: RegExp | undefined])[] = [
  ["no JSON", "hello\n", undefined],
  ["nothing", "\n", undefined],
  ["half a message", '{"op":"sho', undefined],
  ["null", "null\n", /Cannot use the request/],
  ["an unknown operation", '{"op":"format"}\n', /Cannot use the request/],
  ["an operation of the prototype", '{"op":"__proto__"}\n', /Cannot use the request/],
  ["more link than there is room for", `{"op":"stop","link":"${"x".repeat(65)}"}\n`, /link/],
  ["settings without a port", '{"op":"configure","proxy":{"link":"flan0"}}\n', /missing/],
  ["a link that is a path", configure({ link: "../../x" }), /link/],
  ["a link with a space", configure({ link: "a b" }), /link/],
  ["a port of 0", configure({ port: 0 }), /port/],
  ["seventeen queues", configure({ queues: 17 }), /queues/],
  ["an address that no host has", configure({ address: "0.0.0.0" }), /no IPv4 address that a host can have/],
  ["an IPv6 address with a source of IPv4", configure({ address: "2001:db8::1" }), /not IPv6/],
  [
    "an IPv6 address with a subnet of IPv4",
    configure({ address: "2001:db8::1", source: "fd00::1" }),
    /not IPv6/,
  ],
  [
    "a link-local address",
    configure({ address: "fe80::1", source: "fd00::1", subnet: "fd00::/64" }),
    /link-local/,
  ],
  ["an IPv6 source", configure({ source: "2001:db8::1" }), /not IPv4/],
  ["a subnet with host bits", configure({ subnet: "10.5.1.7/24" }), /host bits are set/],
  ["a route of two parts", change([["10.5.2.0/24", "192.0.2.2"]]), /port are needed/],
  ["a route with a port of 65536", change([["10.5.2.0/24", "192.0.2.2", 65536]]), /port must be 1 to 65535/],
  ["a route to a broadcast address", change([["10.5.2.0/24", "255.255.255.255", 1]]), /no IPv4 address/],
  ["a route with host bits", change([["10.5.2.1/24", "192.0.2.2", 1]]), /host bits are set/],
  ["a route of IPv6", change([["2001:db8::/64", "192.0.2.2", 1]]), /not IPv4/],
  ["a route to IPv6", change([["10.5.2.0/24", "2001:db8::2", 1]]), /no IPv4 address/],
  ["a removal that is a number", `{"op":"change","remove":[7]}\n`, /a destination is needed/],
];

function configure(change: Record<string, unknown>): string {
  return `${JSON.stringify({ op: "configure", proxy: { ...settings, ...change } })}\n`;
}

function change(put: unknown[]): string {
  return `${JSON.stringify({ op: "change", put })}\n`;
}

Deno.test("proxy flood: nonsense is refused or hung up on, one by one, and changes nothing", async () => {
  await withProxy(async ({ client, plane }) => {
    await client.configure(settings);
    await client.change({ link: "flan0", put: [wayOf(1)], remove: [] });
    for (const [what, line, expected] of hostile) {
      if (!line.endsWith("\n")) {
        (await Deno.connect({ transport: "unix", path: client.socket })).close();
        continue;
      }
      const answer = await sendLine(client.socket, line) as { error: string } | undefined;
      if (expected === undefined) assert.equal(answer, undefined, what);
      else assert.match(answer!.error, expected, what);
    }
    assert.deepEqual((await client.show())!.routes, [wayOf(1)]);
    assert.deepEqual((await client.show())!.proxy, settings);
    assert.equal(plane.opened.length, 1);
  });
});

Deno.test("proxy flood: one bad route among good ones leaves all of them out", async () => {
  await withProxy(async ({ client }) => {
    await client.configure(settings);
    const put = [wayOf(1), ["10.5.2.0/24", "nowhere", 1] as const, wayOf(2)];
    await assert.rejects(client.change({ link: "flan0", put, remove: [] }), /nowhere/);
    assert.deepEqual((await client.show())!.routes, []);
  });
});

Deno.test("proxy flood: who goes away in the middle of a request or before its answer harms nobody", async () => {
  await withProxy(async ({ client }) => {
    await client.configure(settings);
    const line = new TextEncoder().encode(change(Array.from({ length: 50_000 }, (_, i) => [...wayOf(i)])));
    for (const bytes of [line.subarray(0, 10), line.subarray(0, 300_000), line]) {
      const conn = await Deno.connect({ transport: "unix", path: client.socket });
      let rest = bytes;
      while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
      conn.close();
    }
    const follower = new AbortController();
    const { generation } = (await client.show())!;
    const following = assert.rejects(client.follow(generation, follower.signal));
    follower.abort();
    await following;
    await client.change({
      link: "flan0",
      put: [],
      remove: Array.from({ length: 50_000 }, (_, i) => wayOf(i)[0]),
    });
    assert.deepEqual((await client.show())!.routes, []);
  });
});

Deno.test("proxy flood: a million routes are taken, one more is refused, and others are answered meanwhile", async () => {
  await withProxy(async ({ client, plane }) => {
    await client.configure(settings);
    const all = 1 << 20;
    let taken = 0;
    const putting = (async () => {
      for (let at = 0; at < all; at += 1 << 16) {
        const put = Array.from({ length: 1 << 16 }, (_, i) => wayOf(at + i));
        taken = (await client.change({ link: "flan0", put, remove: [] }))!.routes;
      }
    })();
    let answered = 0;
    while (taken < all) {
      await client.counters();
      answered++;
    }
    await putting;
    assert.ok(answered > 16, `only ${answered} answers came while routes were put`);
    assert.equal(plane.last.ways.size, all);
    await assert.rejects(
      client.change({ link: "flan0", put: [wayOf(all)], remove: [] }),
      /Cannot have 1048577 routes: there is room for 1048576/,
    );
    // In the place of another one there is room.
    await client.change({ link: "flan0", put: [wayOf(all), wayOf(7)], remove: [wayOf(0)[0]] });
    assert.equal(plane.last.ways.size, all);
  });
});

Deno.test("proxy flood: a line of more than 64 MiB is hung up on, however many send one", async () => {
  await withProxy(async ({ client }) => {
    const bytes = new Uint8Array(MAX_REQUEST + 1).fill(0x20);
    const answers = await Promise.all([1, 2, 3].map(() => sendLine(client.socket, bytes)));
    assert.deepEqual(answers, [undefined, undefined, undefined]);
    assert.equal((await client.show())!.carrying, false);
  });
});

Deno.test("proxy flood: of more followers than there is room for, the last are refused and others are served", async () => {
  await withProxy(async (proxy) => {
    const { client, asked } = proxy;
    const { generation } = (await client.show())!;
    const left = new AbortController();
    const results = Array.from({ length: 20 }, () => client.follow(generation, left.signal).catch(String));
    while (asked.filter((op) => op === "follow").length < 20) await client.counters();
    assert.equal((await client.show())!.generation, generation);
    await proxy.end();
    const all = await Promise.all(results);
    assert.equal(all.filter((one) => String(one).includes("more than 16 follow it already")).length, 4);
  });
});

Deno.test("proxy flood: asked to stop in the middle of many requests, it stops before it has done them", async () => {
  await withProxy(async (proxy) => {
    const { client, plane } = proxy;
    await client.configure(settings);
    const put = Array.from({ length: 20_000 }, (_, i) => wayOf(i));
    const flood = Array.from(
      { length: 40 },
      () => client.change({ link: "flan0", put, remove: [] }).catch(String),
    );
    while (plane.last.changes === 0) await client.counters();
    assert.equal((await client.stop())!.stopped, true);
    assert.equal(plane.openCount, 0);
    const answers = await Promise.all(flood);
    assert.ok(plane.last.changes < 40, "those that wait are not done any more");
    assert.ok(answers.filter((one) => typeof one === "string").length > 0, "and are told so, or hung up on");
    await proxy.ended;
  });
});
