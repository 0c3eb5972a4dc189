/** nft's listings understood, and changes as transactions, on listings as libnftables 1.0.6 gives them. */
import assert from "node:assert/strict";
import { nftRules } from "../../firewall/nft_rules.ts";
import { ruleOf } from "../../firewall/nft_statements.ts";
import type { Masquerade } from "../../kernel/state.ts";
import { KernelError } from "../../net/errors.ts";

const address = (field: string, right: unknown, op = "==") => ({
  match: { op, left: { payload: { protocol: "ip", field } }, right },
});
const net = (addr: string, len: number) => ({ prefix: { addr, len } });
const mark = (bits: number, value: number) => ({
  match: { op: "==", left: { "&": [{ meta: { key: "mark" } }, bits] }, right: value },
});

Deno.test("statements: each condition and verdict that flan writes is known again, counters left out", () => {
  const statements = [
    address("saddr", net("10.5.0.0", 16)),
    address("daddr", "192.0.2.7", "!="),
    { counter: { packets: 7, bytes: 9 } },
    { return: null },
  ];
  assert.deepEqual(ruleOf(statements), {
    source: "10.5.0.0/16",
    destination: "!192.0.2.7/32",
    action: "return",
  });
  assert.deepEqual(ruleOf([mark(0x4000, 0x4000), { return: null }]), { mark: "0x4000", action: "return" });
  assert.deepEqual(ruleOf([{ accept: null }]), { action: "accept" });
  for (const flags of ["fully-random", ["fully-random"]]) {
    assert.deepEqual(ruleOf([{ masquerade: { flags } }]), { action: "masquerade" });
  }
});

Deno.test("statements: whatever else a rule says makes it another one", () => {
  const others = [
    [],
    [address("saddr", net("10.5.0.0", 16))],
    [{ masquerade: null }],
    [{ masquerade: { flags: ["random", "fully-random"] } }],
    [{ drop: null }],
    [mark(0x4000, 0), { return: null }],
    [address("saddr", "@set"), address("saddr", net("10.5.0.0", 16)), { accept: null }],
    [address("sport", 22), { accept: null }],
    [{ accept: null }, { accept: null }],
    [{ match: { op: "==", left: { meta: { key: "iifname" } }, right: "eth0" } }, { accept: null }],
    [{ limit: { rate: 1, per: "second" } }, { accept: null }],
  ];
  for (const statements of others) {
    assert.deepEqual(ruleOf(statements), { action: "other" }, JSON.stringify(statements));
  }
});

/** An nft that lists what it is told, and keeps what else it was asked to do. */
class ScriptedNft {
  readonly done: string[] = [];
  readonly lists: Record<string, readonly unknown[]>;

  constructor(lists: Record<string, readonly unknown[]>) {
    this.lists = lists;
  }

  readonly run = (commands: string): string => {
    if (!commands.startsWith("list ")) {
      this.done.push(commands);
      return "";
    }
    const found = this.lists[commands];
    if (found === undefined) throw new KernelError("gone", "ENOENT", { op: "test" });
    return JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, ...found] });
  };
}

const forward = { type: "filter", hook: "forward", prio: 0 };
const accept = (handle: number, comment: string, field: string) => ({
  rule: { handle, comment, expr: [address(field, net("10.5.0.0", 16)), { accept: null }] },
});
const rules = [{ source: "10.5.0.0/16", action: "accept" }, {
  destination: "10.5.0.0/16",
  action: "accept",
}] as const;

Deno.test("others' chains: those that drop are told, and each flan's rules in them; no other hook, family or name", async () => {
  const nft = new ScriptedNft({
    "list tables": [],
    "list chains": [
      { chain: { family: "ip", table: "filter", name: "FORWARD", ...forward, policy: "drop" } },
      { chain: { family: "inet", table: "fw", name: "forward", ...forward, policy: "accept" } },
      { chain: { family: "ip6", table: "filter", name: "FORWARD", ...forward, policy: "drop" } },
      { chain: { family: "bridge", table: "filter", name: "FORWARD", ...forward, policy: "drop" } },
      { chain: { family: "ip", table: "filter", name: "INPUT", ...forward, hook: "input", policy: "drop" } },
      { chain: { family: "ip", table: "filter", name: "user" } },
      { chain: { family: "ip", table: "a; flush ruleset", name: "x", ...forward, policy: "drop" } },
    ],
    "list chain ip filter FORWARD": [
      accept(7, "flan 3f2a", "saddr"),
      { rule: { handle: 8, comment: "docker", expr: [{ drop: null }] } },
      { rule: { handle: 9, expr: [{ drop: null }] } },
      accept(10, "flan 3f2a", "daddr"),
    ],
    "list chain ip6 filter FORWARD": [],
    "list chain inet fw forward": [accept(3, "flan ffff", "saddr")],
  });
  assert.deepEqual(await nftRules(nft.run).read(), [
    { kind: "forward-rules", chain: "ip filter FORWARD", alias: "flan 3f2a", rules },
    { kind: "forward-rules", chain: "ip filter FORWARD", alias: "", rules: [] },
    { kind: "forward-rules", chain: "inet fw forward", alias: "flan ffff", rules: [rules[0]] },
    { kind: "forward-rules", chain: "ip6 filter FORWARD", alias: "", rules: [] },
  ]);
});

Deno.test("others' chains: rules of ours are exchanged in one transaction, and nobody else's are touched", async () => {
  const chain = "ip filter FORWARD";
  const nft = new ScriptedNft({
    [`list chain ${chain}`]: [
      accept(7, "flan 3f2a", "saddr"),
      accept(8, "flan ffff", "saddr"),
      { rule: { handle: 9, expr: [{ drop: null }] } },
    ],
  });
  const object = { kind: "forward-rules", chain, alias: "flan 3f2a", rules } as const;
  await nftRules(nft.run).apply({ verb: "add", object });
  await nftRules(nft.run).apply({ verb: "delete", object });
  await nftRules(nft.run).apply({ verb: "delete", object: { ...object, alias: "flan 0000" } });
  assert.deepEqual(nft.done, [
    `delete rule ${chain} handle 7\n` +
    `insert rule ${chain} ip daddr 10.5.0.0/16 accept comment "flan 3f2a"\n` +
    `insert rule ${chain} ip saddr 10.5.0.0/16 accept comment "flan 3f2a"`,
    `delete rule ${chain} handle 7`,
  ]);
});

Deno.test("own table: a chain, an object or a comment that flan did not put there is told as another rule", async () => {
  const chain = {
    chain: {
      family: "ip",
      table: "flan",
      name: "postrouting",
      type: "nat",
      hook: "postrouting",
      prio: 100,
      policy: "accept",
    },
  };
  const rule = { rule: { handle: 1, comment: "flan 3f2a", expr: [{ return: null }] } };
  const read = async (...items: unknown[]) => {
    const table = { table: { family: "ip", name: "flan", handle: 1 } };
    const lists = { "list tables": [table], "list chains": [], "list table ip flan": [table, ...items] };
    return (await nftRules(new ScriptedNft(lists).run).read())[0];
  };
  const masquerade = (alias: string, ...actions: string[]) => ({
    kind: "masquerade",
    family: 4,
    alias,
    rules: actions.map((action) => ({ action })),
  });
  assert.deepEqual(await read(chain, rule), masquerade("flan 3f2a", "return"));
  assert.deepEqual(await read(chain), masquerade(""));
  assert.deepEqual(await read(), masquerade(""), "somebody deleted the chain");
  assert.deepEqual(await read(chain, rule, { set: {} }), masquerade("flan 3f2a", "return", "other"));
  assert.deepEqual(await read(chain, chain, rule), masquerade("flan 3f2a", "return", "other"));
  const changes = [{ prio: 0 }, { policy: "drop" }, { hook: "input" }, { type: "filter" }, { name: "x" }];
  for (const change of changes) {
    const changed = { chain: { ...chain.chain, ...change } };
    assert.deepEqual(await read(changed, rule), masquerade("flan 3f2a", "return", "other"));
  }
  const foreign = { rule: { ...rule.rule, comment: "flan ffff" } };
  assert.deepEqual(await read(chain, rule, foreign), masquerade("flan 3f2a", "return", "return", "other"));
  const nobodys = { rule: { handle: 1, expr: [{ return: null }] } };
  const administrators = [
    [chain, nobodys],
    [{ chain: { ...chain.chain, name: "x" } }],
    [chain, { set: {} }],
    [{ set: {} }],
  ];
  for (const items of administrators) {
    const { alias, rules } = await read(...items) as Masquerade;
    assert.deepEqual([alias, rules.at(-1)], ["", { action: "other" }], JSON.stringify(items));
  }
});

Deno.test("what is removed while it is listed is looked for anew, but not for ever", async () => {
  let calls = 0;
  const vanishing = (commands: string): string => {
    calls++;
    if (commands === "list tables") {
      return JSON.stringify({ nftables: calls > 1 ? [] : [{ table: { family: "ip", name: "flan" } }] });
    }
    if (commands === "list chains") return JSON.stringify({ nftables: [] });
    throw new KernelError("gone", "ENOENT", { op: "test" });
  };
  assert.deepEqual(await nftRules(vanishing).read(), []);
  const never = new ScriptedNft({});
  await assert.rejects(nftRules(never.run).read(), { errno: "ENOENT" });
  await assert.rejects(nftRules(() => "{").read(), { code: "failed", message: /is no JSON$/ });
  await assert.rejects(nftRules(() => '{"nftables": 7}').read(), { code: "invalid" });
});
