/** The kernel's XFRM tells of states and policies that somebody changes: from the first use of the tables on. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { libc } from "../../ffi/libc.ts";
import { libnl } from "../../ffi/libnl.ts";
import { NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { NativeXfrm } from "../../ffi/xfrm_tables.ts";
import { NETLINK_XFRM } from "../../ffi/xfrm/constants.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { type XfrmPolicy, xfrmSubject } from "../../kernel/xfrm.ts";
import { until } from "../lib/until.ts";
import { ip, run } from "./system.ts";

libc();
libnl();

const policy: XfrmPolicy = {
  kind: "xfrm-policy",
  direction: "in",
  source: "10.5.0.0/16",
  destination: "10.5.1.0/24",
  priority: 2000,
  action: "block",
  requestId: 7,
  interfaceId: 0,
};
const named = `src ${policy.source} dst ${policy.destination} dir in`;
const subject = xfrmSubject(policy);

const openFds = () => [...Deno.readDirSync("/proc/self/fd")].length;

/** Why it cannot be tried here; opening the socket is what loads the kernel's module. */
function hindrance(): string | undefined {
  try {
    new NetlinkSocket({ protocol: NETLINK_XFRM, receiveBuffer: 4096, groups: [] }).close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const why = hindrance();

/** Runs `body` with tables of which the events are in `heard`, as they come. */
function xfrmTest(
  name: string,
  body: (tables: NativeXfrm, heard: KernelEvent[], stop: AbortController) => Promise<void>,
  { eventBuffer }: { eventBuffer?: number } = {},
): void {
  Deno.test({
    name: why === undefined ? name : `${name} (${why})`,
    ignore: why !== undefined,
    async fn() {
      const tables = new NativeXfrm({
        clock: systemClock,
        openSocket: ({ groups, receiveBuffer }) =>
          new NetlinkSocket({
            protocol: NETLINK_XFRM,
            groups,
            receiveBuffer: groups.length === 0 ? receiveBuffer : eventBuffer ?? receiveBuffer,
          }),
      });
      const heard: KernelEvent[] = [];
      const stop = new AbortController();
      const following = tables.follow((event) => void heard.push(event), stop.signal);
      try {
        await body(tables, heard, stop);
      } finally {
        stop.abort();
        await following;
        tables.close();
        await ip("xfrm policy flush");
        await ip("xfrm state flush");
      }
    },
  });
}

xfrmTest("xfrm events: what somebody deletes is told at once", async (tables, heard) => {
  tables.listen();
  assert.deepEqual(await tables.write([{ verb: "add", object: policy }]), [undefined]);
  // A state that has no cipher yet, which every kernel can make.
  const state = "src 192.0.2.1 dst 192.0.2.2 proto esp";
  await ip(`xfrm state allocspi ${state} mode tunnel min 0x1234 max 0x1234`);
  const lines = [
    [`xfrm policy delete ${named}`, subject],
    [`xfrm state delete ${state} spi 0x1234`, "state 192.0.2.2 spi 0x1234"],
  ] as const;
  for (const [line, subject] of lines) {
    await ip(line);
    await until(
      "the event",
      () => Promise.resolve(heard.some((event) => event.subject === subject && event.action === "delete")),
    );
    assert.deepEqual(heard.at(-1), {
      group: "ipsec",
      action: "delete",
      own: false,
      port: 0,
      subject,
    });
  }
});

xfrmTest(
  "xfrm events: own changes are known as such, and all that came is heard when asked for",
  async (tables, heard) => {
    tables.listen();
    for (const verb of ["add", "replace", "delete"] as const) await tables.write([{ verb, object: policy }]);
    await tables.write([{ verb: "add", object: policy }]);
    await ip("xfrm policy flush");
    tables.hear();
    assert.deepEqual(heard.map(({ action, own, subject }) => [action, own, subject]), [
      ["new", true, subject],
      ["new", true, subject],
      ["delete", true, subject],
      ["new", true, subject],
      ["delete", false, "policies"],
    ]);
  },
);

xfrmTest(
  "xfrm events: before somebody uses the tables no socket is opened, and then one is at once",
  async (tables, heard) => {
    const before = openFds();
    await ip(`xfrm policy add ${named} action block`);
    tables.hear();
    assert.deepEqual([openFds(), heard], [before, []]);
    tables.listen();
    tables.listen();
    await run("ip", "xfrm", "policy", "delete", ...named.split(" "));
    tables.hear();
    assert.deepEqual(heard.map(({ action }) => action), ["delete"]);
    const late: KernelEvent[] = [];
    const stop = new AbortController();
    const following = tables.follow((event) => void late.push(event), stop.signal);
    await ip(`xfrm policy add ${named} action block`);
    await until("the event", () => Promise.resolve(late.length > 0));
    stop.abort();
    await following;
  },
);

xfrmTest(
  "xfrm events: what does not fit the receive buffer is one overrun, which comes last",
  async (tables, heard) => {
    tables.listen();
    const object = (i: number): XfrmPolicy => ({ ...policy, source: `10.${i >> 8}.${i & 255}.0/24` });
    await tables.write(Array.from({ length: 200 }, (_, i) => ({ verb: "add", object: object(i) })));
    tables.hear();
    assert.deepEqual(heard.at(-1), { group: "overrun", action: "new", own: false, port: 0 });
    assert.equal(heard.filter(({ group }) => group === "overrun").length, 1);
    heard.length = 0;
    await ip("xfrm policy flush");
    await until(
      "events after it",
      () => Promise.resolve(heard.some(({ subject }) => subject === "policies")),
    );
  },
  { eventBuffer: 4096 },
);

xfrmTest("xfrm events: the descriptors go when the signal aborts", async (tables, heard, stop) => {
  tables.listen();
  await systemClock.turn();
  const before = openFds();
  const more = [new AbortController(), new AbortController()];
  const following = more.map(({ signal }) => tables.follow((event) => void heard.push(event), signal));
  await systemClock.turn();
  // A socket and a counter each.
  assert.equal(openFds(), before + 4);
  for (const one of more) one.abort();
  await Promise.all(following);
  assert.equal(openFds(), before);
  assert.equal(stop.signal.aborted, false);
});
