/** iptables' own listings understood, and changes as one payload, on text as iptables-save 1.8.9 prints it. */
import assert from "node:assert/strict";
import { iptablesRules } from "../../firewall/iptables_rules.ts";
import { parseSaved } from "../../firewall/iptables_save.ts";
import type { Masquerade } from "../../kernel/state.ts";

const alias = "flan 3f2a";
const said = `-m comment --comment "${alias}"`;

const wanted: Masquerade = {
  kind: "masquerade",
  family: 4,
  alias,
  rules: [
    { mark: "0x4000", action: "return" },
    { source: "!10.5.0.0/16", destination: "10.5.1.0/24", action: "return" },
    { source: "10.5.0.0/16", destination: "!224.0.0.0/4", action: "masquerade" },
  ],
};
const rules = [
  `-A FLAN-POSTRTG -m mark --mark 0x4000/0x4000 ${said} -j RETURN`,
  `-A FLAN-POSTRTG ! -s 10.5.0.0/16 -d 10.5.1.0/24 ${said} -j RETURN`,
  `-A FLAN-POSTRTG -s 10.5.0.0/16 ! -d 224.0.0.0/4 ${said} -j MASQUERADE --random-fully`,
];
const jump = `-A POSTROUTING ${said} -j FLAN-POSTRTG`;
const nat = (...lines: string[]) => ["*nat", ":POSTROUTING ACCEPT [0:0]", ...lines, "COMMIT", ""].join("\n");
const chain = ":FLAN-POSTRTG - [0:0]";

function on(saved: string) {
  const restored: string[] = [];
  const iptables = {
    save: () => Promise.resolve(saved),
    restore: (payload: string) => Promise.resolve(void restored.push(payload)),
  };
  return { rules: iptablesRules(iptables), restored };
}

Deno.test("iptables: masquerade rules are made in one payload, and known again from what is saved then", async () => {
  const fresh = on("");
  assert.deepEqual(await fresh.rules.read(), []);
  await fresh.rules.apply({ verb: "add", object: wanted });
  assert.deepEqual(fresh.restored, [["*nat", chain, ...rules, jump, "COMMIT", ""].join("\n")]);
  const there = on(nat(chain, jump, ...rules));
  assert.deepEqual(await there.rules.read(), [wanted]);
  await there.rules.apply({ verb: "delete", object: wanted });
  const words = ["*nat", jump.replace("-A", "-D"), "-F FLAN-POSTRTG", "-X FLAN-POSTRTG", "COMMIT", ""];
  assert.deepEqual(there.restored, [words.join("\n")]);
  await fresh.rules.apply({ verb: "delete", object: wanted });
  assert.equal(fresh.restored.length, 1, "what is not there needs no call");
});

Deno.test("iptables: a jump that is missing, there twice or another one is drift, and the next payload mends it", async () => {
  const broken = [[], [jump, jump], [`-A POSTROUTING -s 10.0.0.0/8 ${said} -j FLAN-POSTRTG`]];
  for (const jumps of broken) {
    const { rules: set, restored } = on(nat(chain, ...jumps, ...rules));
    assert.deepEqual(await set.read(), [{ ...wanted, rules: [...wanted.rules, { action: "other" }] }]);
    await set.apply({ verb: "replace", object: wanted });
    const gone = jumps.map((line) => line.replace("-A", "-D"));
    assert.deepEqual(restored, [["*nat", chain, ...gone, ...rules, jump, "COMMIT", ""].join("\n")]);
  }
  const foreign = on(nat(chain, jump, rules[0]!.replace(alias, "flan ffff")));
  assert.deepEqual((await foreign.rules.read())[0], {
    kind: "masquerade",
    family: 4,
    alias: "flan ffff",
    rules: [wanted.rules[0], { action: "other" }],
  });
});

Deno.test("iptables: a chain of our name without rules and jumps is an empty one, and with a jump or rule of nobody's it is not", async () => {
  const read = async (...lines: string[]) => (await on(nat(chain, ...lines)).rules.read())[0];
  assert.deepEqual(await read(), { kind: "masquerade", family: 4, alias: "", rules: [] });
  for (const line of ["-A POSTROUTING -j FLAN-POSTRTG", "-A FLAN-POSTRTG -j RETURN"]) {
    const found = await read(line) as Masquerade;
    assert.deepEqual([found.alias, found.rules.at(-1)], ["", { action: "other" }], line);
  }
});

Deno.test("iptables: rules with any other word are others'", () => {
  const lines = [
    "-A FLAN-POSTRTG -s 10.5.0.0/16 -j MASQUERADE",
    "-A FLAN-POSTRTG -i eth0 -j RETURN",
    "-A FLAN-POSTRTG ! -i eth0 -j RETURN",
    "-A FLAN-POSTRTG -m mark --mark 0x4000/0x8000 -j RETURN",
    "-A FLAN-POSTRTG -m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-A FLAN-POSTRTG -s 10.5.0.0/16 -j LOG",
    '-A FLAN-POSTRTG -m comment --comment "a \\"quoted\\" -j RETURN"',
  ];
  const saved = parseSaved(nat(chain, ...lines));
  assert.deepEqual(saved.rules.map(({ rule }) => rule.action), lines.map(() => "other"));
  assert.equal(saved.rules.at(-1)!.comment, 'a "quoted" -j RETURN');
});

Deno.test("iptables: a FORWARD chain that drops is told, and takes flan's rules at its head", async () => {
  const filter = (policy: string, ...lines: string[]) =>
    ["*filter", `:FORWARD ${policy} [1:2]`, "-A FORWARD -i docker0 -j DROP", ...lines, "COMMIT"].join("\n");
  const ours = ["-s", "-d"].map((flag) => `-A FORWARD ${flag} 10.5.0.0/16 ${said} -j ACCEPT`);
  const object = {
    kind: "forward-rules",
    chain: "ip filter FORWARD",
    alias,
    rules: [{ source: "10.5.0.0/16", action: "accept" }, { destination: "10.5.0.0/16", action: "accept" }],
  } as const;
  const drops = { kind: "forward-rules", chain: object.chain, alias: "", rules: [] };
  assert.deepEqual(await on(filter("ACCEPT")).rules.read(), []);
  assert.deepEqual(await on(filter("DROP")).rules.read(), [drops]);
  const there = on(filter("DROP", ...ours));
  assert.deepEqual(await there.rules.read(), [object, drops]);
  await there.rules.apply({ verb: "replace", object });
  const gone = ours.map((line) => line.replace("-A", "-D"));
  const put = ours.map((line) => line.replace("-A", "-I")).reverse();
  await there.rules.apply({ verb: "delete", object });
  assert.deepEqual(there.restored, [
    ["*filter", ...gone, ...put, "COMMIT", ""].join("\n"),
    ["*filter", ...gone, "COMMIT", ""].join("\n"),
  ]);
});
