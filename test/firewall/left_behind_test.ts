/** What `flan down` takes out of iptables although the host has nftables now. */
import assert from "node:assert/strict";
import { FlanError, KernelError } from "../../net/errors.ts";
import { keyOf } from "../../kernel/state.ts";
import { silent } from "../../net/log.ts";
import { KeptLog } from "../lib/reconciling.ts";
import type { Iptables } from "../../firewall/iptables_rules.ts";
import { findLeftBehind, removeLeftBehind } from "../../firewall/left_behind.ts";

const owner = { alias: "flan 3f2a", links: [] };

/** iptables-save's text with a chain and a forward rule of a flan. */
function saved(alias: string): string {
  const said = `-m comment --comment "${alias}"`;
  return [
    "*nat",
    ":POSTROUTING ACCEPT [0:0]",
    ":FLAN-POSTRTG - [0:0]",
    `-A POSTROUTING ${said} -j FLAN-POSTRTG`,
    `-A FLAN-POSTRTG -s 10.5.0.0/16 ${said} -j MASQUERADE --random-fully`,
    "COMMIT",
    "*filter",
    ":FORWARD DROP [0:0]",
    `-A FORWARD -s 10.5.0.0/16 ${said} -j ACCEPT`,
    "-A FORWARD -j DOCKER-USER",
    "COMMIT",
    "",
  ].join("\n");
}

const empty = { save: () => Promise.resolve(""), restore: () => Promise.reject(new Error("no")) };

const both = (one: Iptables) => ({ iptables: one, ip6tables: one });

async function removedFrom(text: string) {
  const restored: string[] = [];
  let saves = 0;
  const iptables = {
    save: () => Promise.resolve((saves++, text)),
    restore: (payload: string) => Promise.resolve(void restored.push(payload)),
  };
  const removed = await removeLeftBehind({ iptables, ip6tables: empty }, { owner, log: silent });
  return { kinds: removed.map(({ kind, alias }) => `${kind} ${alias}`), restored, saves };
}

Deno.test("left behind: this host's chain, its jump and its forward rules go, and nothing else", async () => {
  const said = '-m comment --comment "flan 3f2a"';
  assert.deepEqual(await removedFrom(saved("flan 3f2a")), {
    kinds: ["masquerade flan 3f2a", "forward-rules flan 3f2a"],
    restored: [
      `*nat\n-D POSTROUTING ${said} -j FLAN-POSTRTG\n-F FLAN-POSTRTG\n-X FLAN-POSTRTG\nCOMMIT\n`,
      `*filter\n-D FORWARD -s 10.5.0.0/16 ${said} -j ACCEPT\nCOMMIT\n`,
    ],
    saves: 3,
  });
});

Deno.test("left behind: another flan's rules stay, and where there are none one look is all", async () => {
  const nothing = { kinds: [], restored: [], saves: 1 };
  assert.deepEqual(await removedFrom(saved("flan ffff")), nothing);
  assert.deepEqual(await removedFrom("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"), nothing);
});

Deno.test("left behind: iptables that is missing or cannot be read keeps no host from leaving, rules that stay do", async () => {
  const refuse = (error: Error) => () => Promise.reject(error);
  const missing = refuse(new FlanError("Missing", { op: "test", code: "unsupported" }));
  const broken = refuse(new KernelError("Broken", "", { op: "test" }));
  const log = new KeptLog();
  assert.deepEqual(await removeLeftBehind(both({ save: missing, restore: missing }), { owner, log }), []);
  assert.deepEqual(log.messages, []);
  assert.deepEqual(await removeLeftBehind(both({ save: broken, restore: broken }), { owner, log }), []);
  assert.deepEqual(log.messages, ["Broken", "Broken"]);
  const save = () => Promise.resolve(saved(owner.alias));
  await assert.rejects(
    removeLeftBehind({ iptables: { save, restore: broken }, ip6tables: empty }, { owner, log }),
    { message: "Broken" },
  );
});

Deno.test("left behind: any flan's rules are found where somebody only looks, and nobody else's", async () => {
  const found = async (text: string) => {
    const iptables = { save: () => Promise.resolve(text), restore: () => Promise.reject(new Error("no")) };
    const all = await findLeftBehind({ iptables, ip6tables: empty }, silent);
    return {
      kinds: all.flatMap(({ objects }) => objects.map(({ kind, alias }) => `${kind} ${alias}`)),
      removal: all.flatMap(({ removal }) => removal),
    };
  };
  const said = '-m comment --comment "flan ffff"';
  assert.deepEqual(await found(saved("flan ffff")), {
    kinds: ["masquerade flan ffff", "forward-rules flan ffff"],
    removal: [
      "*nat",
      `-D POSTROUTING ${said} -j FLAN-POSTRTG`,
      "-F FLAN-POSTRTG",
      "-X FLAN-POSTRTG",
      "COMMIT",
      "*filter",
      `-D FORWARD -s 10.5.0.0/16 ${said} -j ACCEPT`,
      "COMMIT",
    ],
  });
  assert.deepEqual(await found(saved("docker")), { kinds: [], removal: [] });
});

Deno.test("left behind: what ip6tables has goes by ip6tables, each family by itself", async () => {
  const restored: string[] = [];
  const text = saved(owner.alias).replaceAll("10.5.0.0/16", "fd00:5::/48");
  const ip6tables = {
    save: () => Promise.resolve(text),
    restore: (payload: string) => Promise.resolve(void restored.push(payload)),
  };
  const removed = await removeLeftBehind({ iptables: empty, ip6tables }, { owner, log: silent });
  assert.deepEqual(removed.map(keyOf), ["masquerade ip6", `forward-rules ip6 filter FORWARD ${owner.alias}`]);
  assert.match(restored[1]!, /-D FORWARD -s fd00:5::\/48 /);
});
