/** Proxies and agents of different versions: a field more or less keeps nobody from understanding. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { KernelObject } from "../../kernel/state.ts";
import type { Json } from "../../net/json.ts";
import { openProxiedKernel } from "../../proxy/proxied_kernel.ts";
import { understand } from "../../proxy/answers.ts";
import * as answers from "../../proxy/answers.ts";
import { MAX_QUEUES } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { sendLine, settings, wayOf, withProxy } from "../lib/served_proxy.ts";

const everything = { links: [], sysctls: [] };

Deno.test("versions: a request may have fields that the proxy does not know, at every depth", async () => {
  await withProxy(async ({ client, plane }) => {
    const say = (request: Json) => sendLine(client.socket, `${JSON.stringify(request)}\n`);
    const more = { more: [1, { deep: true }] };
    await say({ op: "configure", proxy: { ...settings, ...more }, ...more });
    await say({ op: "change", put: [[...wayOf(1), "more"]], remove: [], ...more });
    const shown = await say({ op: "show", ...more }) as { ok: { routes: Json; proxy: Json } };
    assert.deepEqual(shown.ok.routes, [[...wayOf(1)]]);
    assert.deepEqual(shown.ok.proxy, { ...settings });
    assert.deepEqual(plane.last.settings, settings, "what is not known goes no further");
    for (const op of ["counters", "stop"]) {
      assert.ok("ok" in (await say({ op, ...more }) as Record<string, Json>), op);
    }
  });
});

Deno.test("versions: a request of an older agent has what it lacks by default", async () => {
  await withProxy(async ({ client, plane }) => {
    const { checkSource: _, queues: __, ...less } = settings;
    await sendLine(client.socket, `${JSON.stringify({ op: "configure", proxy: less })}\n`);
    assert.deepEqual(plane.last.settings, settings);
  });
});

const said = {
  shown: { proxy: { ...settings }, carrying: true, routes: [[...wayOf(1)]] },
  configured: { generation: 7, failure: null },
  changed: { generation: 7 },
  counted: { counters: { out_packets: 1 } },
  followed: { generation: 7 },
  stopped: { pid: 7, stopped: true },
} as const;

for (const [name, answer] of Object.entries(said)) {
  const schema = answers[name as keyof typeof said];
  Deno.test(`versions: of the answer "${name}" only what is used must be there, and more may be`, () => {
    const expected = understand(schema, answer) as Record<string, unknown>;
    for (const [field, value] of Object.entries(answer)) assert.deepEqual(expected[field], value, field);
    assert.deepEqual(understand(schema, { ...answer, more: { deep: [1] } }), expected);
    for (const field of Object.keys(answer)) {
      const { [field as keyof typeof answer]: _, ...less } = answer;
      assert.throws(() => understand(schema, less), { errno: "EPROTO" }, `without ${field}`);
    }
  });
}

Deno.test("versions: whoever adopts a proxy of another version says so once, with what renews it", async () => {
  await withProxy(async ({ runDir, client }) => {
    const lines: string[] = [];
    const open = (version: string) =>
      openProxiedKernel(new FakeKernel(), {
        family: 4,
        runDir,
        clock: systemClock,
        spawn: () => Promise.reject(new Error("one runs")),
        requireProxy: () => {},
        version,
        log: { log: (level, message) => void lines.push(`${level} ${message}`) },
      });
    const [same, other] = [open("0.0.7"), open("0.0.9")];
    await client.configure(settings);
    const seen: (readonly KernelObject[])[] = [];
    for (const kernel of [same, other, other]) seen.push(await kernel.dump(everything));
    assert.equal(new Set(seen.map((one) => JSON.stringify(one))).size, 1);
    assert.deepEqual(lines, [
      "warning The UDP proxy is of version 0.0.7 and flan of 0.0.9: flan proxy stop renews it",
    ]);
    same.close();
    other.close();
  });
});

Deno.test("versions: the most queues are those of the library", async () => {
  const header = await Deno.readTextFile(new URL("../../ffi/proxy/flan_proxy.h", import.meta.url));
  const most = /\bFLAN_MAX_QUEUES\s*=?\s*(\d+)/.exec(header)?.[1];
  assert.equal(Number(most), MAX_QUEUES);
});
