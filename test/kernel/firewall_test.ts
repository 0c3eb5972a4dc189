/** Rules of the packet filter as kernel objects: whose they are, what differs, and the commands that make them. */
import assert from "node:assert/strict";
import { toCommands } from "../../kernel/commands.ts";
import { drift } from "../../kernel/drift.ts";
import { type ForwardRules, type KernelObject, type Masquerade } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { owner, planned } from "../lib/overlay.ts";

const alias = "flan 3f2a";
const masquerade: Masquerade = {
  kind: "masquerade",
  family: 4,
  alias,
  rules: [
    { mark: "0x4000", action: "return" },
    { source: "10.5.0.0/16", destination: "!224.0.0.0/4", action: "masquerade" },
  ],
};
const forward: ForwardRules = {
  kind: "forward-rules",
  chain: "ip filter FORWARD",
  alias,
  rules: [{ source: "10.5.0.0/16", action: "accept" }, { destination: "10.5.0.0/16", action: "accept" }],
};
/** The chain itself, which is somebody else's. */
const drops: ForwardRules = { ...forward, alias: "", rules: [] };

const verbs = (desired: readonly KernelObject[], actual: readonly KernelObject[]) => {
  const { changes, conflicts } = drift(desired, actual, owner);
  return [
    ...changes.map(({ verb, object }) => `${verb} ${object.kind}`),
    ...conflicts.map(({ code }) => code),
  ];
};

Deno.test("drift: rules are missing, wrong or stray, and a chain that drops is a fact and no stray", () => {
  const wanted = [masquerade, forward];
  assert.deepEqual(verbs(wanted, [drops]), ["add masquerade", "add forward-rules"]);
  assert.deepEqual(verbs(wanted, [...wanted, drops]), []);
  assert.deepEqual(verbs(wanted, [{ ...masquerade, rules: [] }, { ...forward, rules: [] }, drops]), [
    "replace masquerade",
    "replace forward-rules",
  ]);
  assert.deepEqual(verbs([], [...wanted, drops]), ["delete forward-rules", "delete masquerade"]);
});

Deno.test("drift: an emptied table is ours by its name, an administrator's and another flan's are not, and its forward rules are in nobody's way", () => {
  const emptied = { ...masquerade, alias: "", rules: [] };
  assert.deepEqual(verbs([masquerade], [emptied]), ["replace masquerade"]);
  assert.deepEqual(verbs([], [emptied]), ["delete masquerade"]);
  const administrators: Masquerade = { ...masquerade, alias: "", rules: [{ action: "accept" }] };
  assert.deepEqual(verbs([masquerade], [administrators]), ["foreign-masquerade"]);
  assert.deepEqual(verbs([], [administrators]), []);
  const theirs = [{ ...masquerade, alias: "flan ffff" }, { ...forward, alias: "flan ffff" }, drops];
  assert.deepEqual(verbs([masquerade, forward], theirs), ["add forward-rules", "foreign-masquerade"]);
  assert.deepEqual(verbs([], theirs), []);
});

Deno.test("drift: rules come before everything that lets packets flow, and go after it", () => {
  const desired = [...planned([2]), masquerade, forward];
  const kinds = (changes: readonly { object: KernelObject }[]) => changes.map(({ object }) => object.kind);
  const made = drift(desired, [], owner).changes;
  assert.deepEqual(kinds(made).slice(0, 3), ["link", "masquerade", "forward-rules"]);
  const removed = drift([], desired, owner).changes;
  assert.deepEqual(kinds(removed).slice(-3), ["forward-rules", "masquerade", "link"]);
});

Deno.test("teardown: takes our rules away without knowing the plan, and says so", async () => {
  const kernel = new FakeKernel();
  const others = [drops, { ...forward, alias: "flan ffff" }];
  for (const object of [masquerade, forward, ...others]) kernel.stack.add(object);
  const { removed } = await teardown(kernel, { alias, links: [] });
  assert.deepEqual(removed, [masquerade, forward]);
  const left = [...kernel.stack.objects.values()].filter(({ kind }) => kind === "forward-rules");
  assert.deepEqual(left, others);
});

Deno.test("commands: rules in nft's words, to paste into a shell", () => {
  assert.deepEqual(toCommands([{ verb: "add", object: masquerade }, { verb: "add", object: forward }]), [
    "nft add table ip flan",
    "nft delete table ip flan",
    "nft add table ip flan",
    "nft add chain ip flan postrouting '{' type nat hook postrouting priority 100 ';' policy accept ';' '}'",
    "nft add rule ip flan postrouting meta mark '&' 0x4000 == 0x4000 return comment '\"flan 3f2a\"'",
    "nft add rule ip flan postrouting ip saddr 10.5.0.0/16 ip daddr '!=' 224.0.0.0/4 " +
    "masquerade fully-random comment '\"flan 3f2a\"'",
    "nft insert rule ip filter FORWARD ip daddr 10.5.0.0/16 accept comment '\"flan 3f2a\"'",
    "nft insert rule ip filter FORWARD ip saddr 10.5.0.0/16 accept comment '\"flan 3f2a\"'",
  ]);
  assert.deepEqual(
    toCommands([{ verb: "delete", object: forward }, { verb: "delete", object: masquerade }]),
    [
      '# nft -a list chain ip filter FORWARD: delete the rules with comment "flan 3f2a" by their handles',
      "nft add table ip flan",
      "nft delete table ip flan",
    ],
  );
});
