/** What the doctor reads of others' formats: nftables' JSON, iptables-save, systemd's unit files. */
import assert from "node:assert/strict";
import { baseChains } from "../../doctor/base_chains.ts";
import { legacyDrops, letsThrough } from "../../doctor/forward_chains.ts";
import { readUnit } from "../../doctor/unit_file.ts";
import { parseCidr } from "../../net/ip.ts";

const network = parseCidr("10.5.0.0/16");

const chain = (fields: Record<string, unknown>) =>
  JSON.stringify({
    nftables: [{ metainfo: {} }, { chain: { family: "ip", table: "t", name: "c", ...fields } }],
  });

Deno.test("nft: base chains on the forward hook with their policies, and no others", () => {
  const found = (fields: Record<string, unknown>) =>
    baseChains(chain(fields), "forward").map(({ family, policy }) => `${family} ${policy}`);
  assert.deepEqual(found({ hook: "forward", policy: "drop" }), ["ip drop"]);
  assert.deepEqual(found({ hook: "forward", policy: "drop", family: "inet" }), ["inet drop"]);
  assert.deepEqual(found({ hook: "forward", policy: "drop", family: "ip6" }), ["ip6 drop"]);
  assert.deepEqual(found({ hook: "forward", policy: "drop", family: "bridge" }), []);
  assert.deepEqual(found({ hook: "forward", policy: "accept" }), ["ip accept"]);
  assert.deepEqual(found({ hook: "forward", policy: "accept", type: "nat" }), []);
  assert.deepEqual(found({ hook: "input", policy: "drop" }), []);
  assert.deepEqual(found({}), []);
  assert.throws(() => baseChains('{"nftables": 1}', "forward"), { code: "invalid" });
});

const match = (field: string, len = 16) => ({
  match: {
    op: "==",
    left: { payload: { protocol: "ip", field } },
    right: { prefix: { addr: "10.5.0.0", len } },
  },
});
const rules = (...list: Record<string, unknown>[]) =>
  JSON.stringify({ nftables: list.map((rule) => ({ rule: { family: "ip", ...rule } })) });

Deno.test("nft: a chain lets the network through by flan's rules, or by rules for both directions", () => {
  const accept = { accept: null };
  const through = (...list: Record<string, unknown>[]) => letsThrough(rules(...list), network);
  assert.ok(through({ expr: [match("saddr"), { counter: { packets: 1 } }, accept] }, {
    expr: [match("daddr"), accept],
  }));
  assert.ok(through({ comment: "flan 11aa", expr: [accept] }));
  assert.ok(!through({ expr: [match("saddr"), accept] }), "one direction is not enough");
  assert.ok(!through({ expr: [match("saddr"), { drop: null }] }, { expr: [match("daddr"), { drop: null }] }));
  assert.ok(!through({ expr: [match("saddr", 24), accept] }, { expr: [match("daddr", 24), accept] }));
  assert.ok(!through({ comment: "flannel", expr: [accept] }));
  assert.ok(!through());
});

Deno.test("iptables-save: FORWARD drops unless its policy or rules say otherwise", () => {
  const save = (...lines: string[]) => legacyDrops(["*filter", ...lines, "COMMIT", ""].join("\n"), network);
  const both = ["-s", "-d"].map((flag) => `-A FORWARD ${flag} 10.5.0.0/16 -j ACCEPT`);
  assert.ok(save(":FORWARD DROP [0:0]"));
  assert.ok(!save(":FORWARD ACCEPT [0:0]"));
  assert.ok(!save(":FORWARD DROP [0:0]", ...both));
  assert.ok(save(":FORWARD DROP [0:0]", both[0]!));
  assert.ok(!save(":FORWARD DROP [0:0]", "-A FORWARD -j FLAN-FWD"));
});

Deno.test("unit files: sections, comments, continued lines, and the last value of a key", () => {
  const unit = readUnit(
    "# x\n[Match]\nName=a \\\n  b\n; y\n[Link]\nMTUBytes = 1400\nMTUBytes=1300\nnonsense\n[link]\nUnmanaged=yes\n",
  );
  assert.match(unit.get("match", "Name")!, /^a\s+b$/);
  assert.equal(unit.get("link", "MTUBytes"), "1300");
  assert.equal(unit.get("link", "Unmanaged"), "yes");
  assert.equal(unit.get("network", "DHCP"), undefined);
  assert.equal(unit.section("match").size, 1);
});
