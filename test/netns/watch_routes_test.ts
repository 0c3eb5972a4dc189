/** `flan routes watch` beside an agent on a real kernel: what somebody does, who it was, and what flan puts back. */
import assert from "node:assert/strict";
import { flanCommand } from "../../cmd/self.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { nft } from "../lib/pinging.ts";
import { vxlan } from "../lib/planes.ts";
import { requireValid } from "../lib/schemas.ts";

hostTest(
  "a watch tells who deleted a route and that flan repaired it, and of the packet filter what concerns flan",
  {
    lab: "watch-routes",
    hosts: 2,
    plane: vxlan,
  },
  async (hosts) => {
    const [victim, peer] = await hosts.joinAll() as [Member, Member];
    const watch = hosts.start(victim.host, flanCommand(["routes", "watch", "-o", "jsonl"]));
    const person = hosts.start(victim.host, flanCommand(["routes", "watch"]));
    const first = JSON.parse(await watch.out.line(/"state"/));
    requireValid(first);
    assert.deepEqual(first.wrong, []);
    await person.out.line(/the kernel is as planned$/);

    const begun = watch.out.lines.length;
    const pid = await hosts.ip(victim.host, `route delete ${peer.subnet}`);
    const deleted = JSON.parse(await watch.out.line(/"deleted"/, begun));
    const repaired = JSON.parse(await watch.out.line(/"repaired":true/, begun));

    for (const event of [deleted, repaired]) requireValid(event);
    assert.deepEqual([deleted.kind, deleted.pid], ["route", pid]);
    assert.equal(deleted.object, `${peer.subnet} dev flan.1`);
    assert.deepEqual([repaired.event, repaired.object, repaired.by], [
      "set",
      deleted.object,
      `flan[${victim.agent.pid}]`,
    ]);
    // Of what goes with a link the kernel says little, and of links and FDB entries not who it was.
    const mark = person.out.lines.length;
    await hosts.ip(victim.host, "link delete flan.1");
    const back = ["link flan", `nexthop \\d+ via ${peer.subnet.split("/")[0]}`, "fdb", "neighbour", "route"];
    for (const what of back) {
      await person.out.line(new RegExp(`set {6}${what}.* {2}.*\\(repaired\\)$`), mark);
    }
    // Of these two transactions only the second is about what flan wants of the packet filter.
    const others = "add table ip others";
    const [seen, read] = [person.out.lines.length, watch.out.lines.length];
    const drops = "add chain ip others forward { type filter hook forward priority 0; policy drop; }";
    for (const rules of [others, drops]) await nft(hosts, victim, rules);
    const filtered = JSON.parse(await watch.out.line(/"firewall"/, read));
    requireValid(filtered);
    assert.deepEqual([filtered.event, filtered.object], ["set", "packet filter"]);
    assert.match(filtered.by, /^(nft|flan)\[\d+\]$/);
    await person.out.line(/set {6}packet filter {2}by \w+\[\d+\]/, seen);

    const before = person.out.lines.length;
    await hosts.ip(victim.host, "link set flan.1 mtu 1300");
    await person.out.line(/set {6}link flan\.1: mtu is 1300, not 1450$/, before);
    await person.out.line(/set {6}link flan\.1 {2}\(repaired\)$/, before);
    const named = person.out.lines.length;
    await hosts.ip(victim.host, "link set flan.1 address 02:00:00:00:00:99");
    await person.out.line(/set {6}link flan\.1: mac is 02:00:00:00:00:99, not \S+$/, named);
    await person.out.line(/set {6}link flan\.1 {2}\(repaired\)$/, named);
    const taken = person.out.lines.length;
    await hosts.ip(victim.host, `route replace ${peer.subnet} via ${peer.host.address}`);
    await person.out.line(/set {6}route \S+ .*dev eth0: not flan's, whose own is gone {2}by /, taken);
    assert.deepEqual(person.out.matching(/link eth0/), [], "nobody touched it");
    // As it goes; that it comes back so is not told.
    assert.ok(person.out.matching(/flan\.1: is down/).length <= 1);
    assert.equal((await watch.end("SIGINT")).code, 130);
    assert.equal((await person.end("SIGTERM")).code, 143);
    assert.ok(watch.out.matching(/"by":"nft\[/).length <= 1, watch.out.lines.join("\n"));
  },
);
