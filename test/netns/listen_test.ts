/** `--listen` on a host: what probes and scrapers see while its network breaks and is mended. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest } from "../lib/hosts.ts";
import { assertScrapable } from "../lib/promtool.ts";
import { watchedPageFile } from "../lib/watched_page.ts";

const LISTEN = "127.0.0.1:8474";
const look = ["run", "--quiet", "--allow-all", watchedPageFile];

hostTest("readyz is 200 with the network, 503 with its code while the underlay is gone, and 200 again", {
  lab: "listen",
  hosts: 1,
}, async (hosts) => {
  const host = hosts.at(1);
  const watch = hosts.start(host, [Deno.execPath(), ...look, `http://${LISTEN}/readyz`]);
  await watch.out.line(/^0$/);
  const agent = await hosts.up(host, ["--listen", LISTEN]);
  await watch.out.line(/^200 ok$/);
  const mark = watch.out.lines.length;

  await hosts.ip(host, "link set eth0 down");
  await watch.out.line(/^503 (.* )?underlay-missing/, mark);
  const status = await hosts.status(host);
  const repair = await hosts.lab.flan(host, ["routes", "repair"]);
  await hosts.ip(host, "link set eth0 up", "route add default via 192.0.2.254");
  await watch.out.line(/^200 ok$/, mark);

  assert.equal(status.code, 3);
  assert.equal(repair.code, 3, "nobody is told that all is well");
  assert.match(
    repair.stdout,
    /^left +underlay eth0: Link eth0.* is down; .* whoever manages eth0 has to mend it$/m,
  );
  const metrics = await hosts.lab.on(host, [
    Deno.execPath(),
    "eval",
    `console.log((await (await fetch("http://${LISTEN}/metrics")).text()).trimEnd())`,
  ]);
  await assertScrapable(metrics.stdout);
  assert.match(metrics.stdout, /^flan_store_up 1$/m);
  await agent.end("SIGTERM");
  await watch.out.line(/^0$/, mark);
});

hostTest(
  "a port that is taken ends up before it joins, in one sentence",
  { lab: "taken", hosts: 1 },
  async (hosts) => {
    const host = hosts.at(1);
    const taker = hosts.start(host, [
      Deno.execPath(),
      "eval",
      `Deno.listen({ hostname: "127.0.0.1", port: 8474 }); console.log("taken"); setInterval(() => {}, 1e9)`,
    ]);
    await taker.out.line(/^taken$/);
    const { code, stdout, stderr } = await hosts.lab.on(host, flanCommand(["up", "--listen", LISTEN]));
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^flan: Cannot listen at 127\.0\.0\.1:8474: Address already in use/m);
    assert.match(stderr, /^hint: name another one with --listen$/m);
    assert.deepEqual(await hosts.show(host, "ip", "link show type vxlan"), []);
  },
);
