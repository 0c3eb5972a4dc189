/** A kernel with its packet filter: which of the ways is taken, who is told of what, and what keeps quiet. */
import assert from "node:assert/strict";
import { type FirewallInit, openFirewalledKernel } from "../../firewall/firewalled_kernel.ts";
import type { KernelEvent } from "../../kernel/kernel.ts";
import type { Masquerade } from "../../kernel/state.ts";
import { FlanError, KernelError } from "../../net/errors.ts";
import { FakeKernel, hostStack } from "../lib/fake_kernel.ts";
import { KeptLog } from "../lib/reconciling.ts";

const everything = { links: [], sysctls: [] };
const object: Masquerade = {
  kind: "masquerade",
  family: 4,
  alias: "flan 3f2a",
  rules: [{ source: "10.5.0.0/16", action: "masquerade" }],
};

const lacking = () => {
  throw new FlanError("No library", { op: "test", code: "unsupported" });
};
const refusing = (errno: string) => (): never => {
  throw new KernelError("Refused", errno, { op: "test" });
};
const absent = () =>
  Promise.reject(new FlanError("No program", { op: "test", code: "unsupported", hint: "x" }));
const noIptables = { save: absent, restore: absent };
const chains = (policy: string) =>
  JSON.stringify({
    nftables: [{
      chain: { family: "ip", table: "filter", name: "FORWARD", type: "filter", hook: "forward", policy },
    }],
  });

function open(init: Partial<FirewallInit>) {
  const kernel = new FakeKernel();
  return {
    kernel,
    whole: openFirewalledKernel(kernel, {
      nft: lacking,
      iptables: noIptables,
      ip6tables: noIptables,
      ...init,
    }),
  };
}

const rulesIn = async (kernel: ReturnType<typeof open>["whole"]) =>
  (await kernel.dump(everything)).filter(({ kind }) => kind === "forward-rules" || kind === "masquerade");

Deno.test("ways: nftables, or else iptables, or else none, and then only what wants rules fails", async () => {
  const iptables = { ...noIptables, save: () => Promise.resolve("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n") };
  const nft = (commands: string) => commands === "list chains" ? chains("drop") : "";
  const drops = { kind: "forward-rules", chain: "ip filter FORWARD", alias: "", rules: [] };
  assert.deepEqual(await rulesIn(open({ nft, iptables: noIptables }).whole), [drops]);
  assert.deepEqual(await rulesIn(open({ iptables }).whole), [drops]);
  const drops6 = { ...drops, chain: "ip6 filter FORWARD" };
  assert.deepEqual(await rulesIn(open({ iptables, ip6tables: iptables }).whole), [drops, drops6]);
  const refused = () => Promise.reject(new KernelError("No ip6_tables", "", { op: "test" }));
  const lame = { save: refused, restore: refused };
  assert.deepEqual(
    await rulesIn(open({ iptables, ip6tables: lame }).whole),
    [drops],
    "a kernel without IPv6",
  );
  const log = new KeptLog();
  const { whole, kernel } = open({ log });
  assert.deepEqual(await rulesIn(whole), []);
  await whole.require([]);
  await assert.rejects(whole.require(["firewall"]), {
    code: "unsupported",
    message: "Cannot use the packet filter of this host: no library; no program",
    hint: "apt-get install libnftables1",
  });
  const change = { verb: "add", object } as const;
  const [failure] = await whole.apply([change]);
  assert.equal(failure!.change.object, object);
  assert.match(
    failure!.error.message,
    /^Cannot add masquerade rules in table ip flan: Cannot use the packet/,
  );
  assert.deepEqual([kernel.calls.apply, log.messages.length], [0, 0]);
  await assert.rejects(whole.require(["firewall", "tun"]), { code: "unsupported" });
});

Deno.test("ways: iptables is taken for a kernel that lacks nftables, and for no trouble that passes", async () => {
  const iptables = { ...noIptables, save: () => Promise.resolve("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n") };
  for (const errno of ["EOPNOTSUPP", "EPROTONOSUPPORT", "EINVAL"]) {
    const { whole } = open({ iptables, nft: refusing(errno) });
    assert.equal((await rulesIn(whole)).length, 1, errno);
  }
  for (const errno of ["EMFILE", "ENOMEM", "EBUSY", ""]) {
    let refused = true;
    const nft = (commands: string) =>
      refused ? refusing(errno)() : commands === "list chains" ? chains("drop") : "";
    const log = new KeptLog();
    const { whole } = open({ iptables: { ...iptables, restore: absent }, nft, log });
    await assert.rejects(whole.require(["firewall"]), { errno });
    assert.deepEqual([await rulesIn(whole), log.messages], [[], ["Refused"]], errno);
    refused = false;
    await whole.require(["firewall"]);
    assert.deepEqual(await whole.apply([{ verb: "add", object }]), [], "nftables, not iptables");
  }
  const shortage = () => Promise.reject(new FlanError("No descriptor", { op: "test", code: "failed" }));
  const { whole } = open({ iptables: { save: shortage, restore: shortage } });
  await assert.rejects(whole.require(["firewall"]), { code: "failed" });
});

Deno.test("permission: a user who may not ask is told so where somebody listens, and is refused otherwise", async () => {
  const nft = () => {
    throw new KernelError("Operation not permitted", "EPERM", { op: "test" });
  };
  const told: string[] = [];
  const { whole } = open({ nft, unseen: ({ message }) => told.push(message) });
  assert.deepEqual(await rulesIn(whole), []);
  assert.deepEqual(told, ["Operation not permitted"]);
  await assert.rejects(rulesIn(open({ nft }).whole), { code: "not-permitted" });
});

Deno.test("a filter that cannot be read keeps nothing else from being seen, and the log says so once", async () => {
  let broken = true;
  const nft = (commands: string) => {
    if (broken && commands === "list chains") throw new KernelError("Cannot list", "ENOMEM", { op: "test" });
    return "";
  };
  const log = new KeptLog();
  const { whole } = open({ nft, log });
  const expected = [...hostStack().read()].length;
  for (let i = 0; i < 3; i++) assert.equal((await whole.dump(everything)).length, expected);
  assert.deepEqual(log.messages, ["Cannot list"]);
  broken = false;
  await whole.dump(everything);
  broken = true;
  await whole.dump(everything);
  assert.equal(log.messages.length, 2, "another outage is told anew");
});

Deno.test("a filter that cannot be read for a while holds what was seen last, and then what is there", async () => {
  let broken = false;
  let policy = "drop";
  const nft = (commands: string) => {
    if (broken) throw new KernelError("Cannot list", "EMFILE", { op: "test" });
    return commands === "list chains" ? chains(policy) : "";
  };
  const { whole } = open({ nft, log: new KeptLog() });
  const before = await rulesIn(whole);
  assert.equal(before.length, 1);
  broken = true;
  policy = "accept";
  for (let i = 0; i < 2; i++) assert.deepEqual(await rulesIn(whole), before);
  broken = false;
  assert.deepEqual(await rulesIn(whole), []);
});

Deno.test("events: another transaction is told only where it changed what was seen, once, and always after own changes", async () => {
  let policy = "accept";
  let failure: Error | undefined = undefined;
  const nft = (commands: string) => {
    if (failure !== undefined) throw failure;
    return commands === "list chains" ? chains(policy) : "";
  };
  const { whole, kernel } = open({ nft });
  const stop = new AbortController();
  const events = whole.events(stop.signal)[Symbol.asyncIterator]();
  const transaction = () => kernel.stack.delete({ ...object, alias: "flan ffff" }, 77);
  const mark = (name: string) =>
    kernel.stack.add({ kind: "link", name, type: "", alias: "", mac: "", mtu: 1500, up: false }, 77);
  /** The groups of the events up to the mark. */
  const upTo = async (name: string) => {
    const groups: KernelEvent["group"][] = [];
    mark(name);
    for (;;) {
      const { value } = await events.next();
      if ((value as KernelEvent).link === name) return groups;
      groups.push((value as KernelEvent).group);
    }
  };
  const others = () => {
    kernel.stack.add({ ...object, alias: "flan ffff" });
    transaction();
  };
  others();
  assert.deepEqual(await upTo("a"), ["firewall", "firewall"], "before the first look anything may be new");
  await whole.dump(everything);
  others();
  assert.deepEqual(await upTo("b"), []);
  policy = "drop";
  others();
  assert.deepEqual(await upTo("c"), ["firewall"], "also where nobody looks at everything for it");
  await whole.dump(everything);
  others();
  assert.deepEqual(await upTo("d"), []);
  await whole.apply([{ verb: "add", object }]);
  others();
  assert.deepEqual(await upTo("e"), ["firewall", "firewall"], "what was seen is older than the own change");
  await whole.dump(everything);
  failure = new TypeError("a defect");
  others();
  assert.deepEqual(await upTo("f"), ["firewall", "firewall"], "who cannot look must not end who listens");
  stop.abort();
});

Deno.test("events: a change that a look found first is told all the same when its event comes, once", async () => {
  let policy = "accept";
  const { whole, kernel } = open({ nft: (commands) => commands === "list chains" ? chains(policy) : "" });
  const stop = new AbortController();
  const heard: KernelEvent[] = [];
  const reading = (async () => {
    for await (const event of whole.events(stop.signal)) heard.push(event);
  })();
  const transaction = async () => {
    kernel.stack.add({ ...object, alias: "flan ffff" }, 77);
    kernel.stack.delete({ ...object, alias: "flan ffff" }, 77);
    await whole.hear();
    return heard.splice(0).length;
  };
  await whole.dump(everything);
  policy = "drop";
  await whole.dump(everything);
  assert.equal(await transaction(), 1);
  await whole.dump(everything);
  assert.equal(await transaction(), 0);
  stop.abort();
  await reading;
});
