/** Hooks as objects: run once, kept over restarts, taken away as they were made, and told of when they fail. */
import assert from "node:assert/strict";
import { judgeReport } from "../../agent/health/problems.ts";
import { removeFromKernel } from "../../cmd/remove.ts";
import { openHookedKernel } from "../../hooks/hooked_kernel.ts";
import { writeHooks } from "../../hooks/kept_hooks.ts";
import type { Change } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { type Hook, keyOf } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { defaultRoute } from "../lib/agents.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { NODE, owner, view } from "../lib/overlay.ts";
import { KeptLog } from "../lib/reconciling.ts";

class Place implements Disposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-hooks-" });
  readonly file = `${this.dir}/hooks.json`;
  readonly inner = new FakeKernel();
  readonly clock = new FakeClock();
  readonly told = new KeptLog();
  kernel = this.open();

  open(allowed = true) {
    return openHookedKernel(this.inner, { file: this.file, clock: this.clock, allowed, log: this.told });
  }

  /** One whose commands write down their subnet, address and data. */
  hook(n: number, change: Partial<Hook> = {}): Hook {
    const log = (what: string) => `echo "${what} $SUBNET $PUBLIC_IP $(cat)" >> ${this.dir}/log`;
    return {
      kind: "hook",
      subnet: `10.5.${n}.0/24`,
      publicIp: `192.0.2.${n}`,
      network: "",
      data: `d${n}`,
      add: log("add"),
      remove: log("remove"),
      ...change,
    };
  }

  /** From now on every look at the clock finds it 4 s later. */
  hurry(): void {
    const begun = this.clock.monotonic();
    let looks = 0;
    this.clock.monotonic = () => begun + 4000 * looks++;
  }

  /** What was done, and forgets it. */
  log(): string[] {
    try {
      const lines = Deno.readTextFileSync(`${this.dir}/log`).trim().split("\n");
      Deno.removeSync(`${this.dir}/log`);
      return lines;
    } catch {
      return [];
    }
  }

  async apply(...changes: [Change["verb"], Hook][]): Promise<string[]> {
    const failures = await this.kernel.apply(changes.map(([verb, object]) => ({ verb, object })));
    return failures.map(({ error }) => error.message);
  }

  async hooks(): Promise<Hook[]> {
    return (await this.kernel.dump({ links: [], sysctls: [] })).filter((one) => one.kind === "hook");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}

Deno.test("hooks: what was done is there in a later process, and nothing is run for it again", async () => {
  using place = new Place();
  assert.deepEqual(await place.apply(["add", place.hook(2)], ["add", place.hook(3)]), []);
  assert.deepEqual(place.log(), ["add 10.5.2.0/24 192.0.2.2 d2", "add 10.5.3.0/24 192.0.2.3 d3"]);
  place.kernel = place.open();
  assert.deepEqual(await place.hooks(), [place.hook(2), place.hook(3)]);
  assert.deepEqual(place.log(), []);
});

Deno.test("hooks: a change takes away what was made, as it was made, and sets up the new", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2)]);
  place.log();
  await place.apply(["replace", place.hook(2, { publicIp: "192.0.2.9", data: "d9" })]);
  assert.deepEqual(place.log(), ["remove 10.5.2.0/24 192.0.2.2 d2", "add 10.5.2.0/24 192.0.2.9 d9"]);
  // Whoever removes need not know how it was made.
  await place.apply(["delete", place.hook(2, { remove: "false" })]);
  assert.deepEqual(place.log(), ["remove 10.5.2.0/24 192.0.2.9 d9"]);
  assert.deepEqual([await place.hooks(), [...Deno.readDirSync(place.dir)]], [[], []], "no file is left");
});

Deno.test("hooks: one that fails keeps no other one back, and counts as not done", async () => {
  using place = new Place();
  const failures = await place.apply(["add", place.hook(2, { add: "echo why >&2; exit 3" })], [
    "add",
    place.hook(3),
  ]);
  assert.equal(failures.length, 1);
  assert.match(
    failures[0]!,
    /^Cannot set up subnet 10\.5\.2\.0\/24 of 192\.0\.2\.2: exit code 3 of ".*": "why"$/,
  );
  assert.deepEqual((await place.hooks()).map(({ subnet }) => subnet), ["10.5.3.0/24"]);
});

Deno.test("hooks: one whose removal fails is there still, and is tried again", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2, { remove: `test -e ${place.dir}/ready` })]);
  assert.equal((await place.apply(["delete", place.hook(2)])).length, 1);
  assert.equal((await place.hooks()).length, 1);
  Deno.writeTextFileSync(`${place.dir}/ready`, "");
  assert.deepEqual([await place.apply(["delete", place.hook(2)]), await place.hooks()], [[], []]);
});

Deno.test("hooks: a removal that fails for good is given up and told of, and nothing is said of it any more", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2, { remove: "exit 7" })]);
  for (const _ of [1, 2]) assert.doesNotMatch((await place.apply(["delete", place.hook(2)]))[0]!, /given up/);
  const [failure] = await place.apply(["delete", place.hook(2)]);
  assert.match(
    failure!,
    /exit code 7 of "exit 7"; it is given up after 3 attempts, and what was made stays$/,
  );
  assert.deepEqual([place.told.messages, await place.hooks()], [[failure], []]);
});

Deno.test("hooks: another command for the removal is taken over without running anything, also where the old one fails", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2, { remove: "false" })]);
  place.log();
  assert.deepEqual(await place.apply(["replace", place.hook(2)]), []);
  assert.deepEqual([place.log(), await place.hooks()], [[], [place.hook(2)]]);
  await place.apply(["delete", place.hook(2)]);
  assert.deepEqual(place.log(), ["remove 10.5.2.0/24 192.0.2.2 d2"]);
});

Deno.test("hooks: what has to wait for slow commands is no failure of its own, and none starves", async () => {
  using place = new Place();
  const slow = (n: number) => place.hook(n, { add: `echo ${n} >> ${place.dir}/log; exit 1` });
  const changes = [2, 3].map((n) => ({ verb: "add" as const, object: slow(n) }));
  place.hurry();
  const failures = await place.kernel.apply([...changes, { verb: "add", object: slow(4) }]);
  assert.deepEqual(failures.map(({ later }) => later === true), [false, false, true]);
  assert.deepEqual(place.log(), ["2", "3"]);
  assert.deepEqual((await place.kernel.apply([failures[2]!.change]))[0]!.later, undefined);
  assert.deepEqual(place.log(), ["4"]);
});

Deno.test("hooks: more than one call has time for is made without a health code, and all taken away by one down", async () => {
  using place = new Place();
  const plan = [2, 3, 4, 5].map((n) => place.hook(n));
  const { clock, kernel } = place;
  const reconciler = new Reconciler(kernel, { owner, clock });
  place.hurry();
  let report = await reconciler.reconcile(plan);
  const { found } = judgeReport({
    report,
    view: view([]),
    plan: { objects: plan, peers: [], refused: [] },
    overridden: [],
  });
  assert.deepEqual([report.failures.length, report.retryIn, found], [2, 0, []]);
  report = await reconciler.reconcile(plan);
  assert.deepEqual([report.failures, report.retryIn, place.log().length], [[], undefined, 4]);
  const { removed, failures } = await teardown(kernel, owner);
  assert.deepEqual([removed.length, failures, place.log().length], [4, [], 4]);
});

Deno.test("hooks: down names what it had to give up, does not count it as removed, and finds nothing more to do", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2, { remove: "false" })], ["add", place.hook(3)]);
  const remove = () =>
    removeFromKernel(place.kernel, { node: NODE, device: "", macs: {}, leasedIn: undefined, networks: [] });
  const { removed } = await teardown(place.kernel, owner);
  assert.deepEqual(removed, [place.hook(3)]);
  await place.apply(["add", place.hook(2, { remove: "false" })]);
  await assert.rejects(remove(), {
    message: /10\.5\.2\.0\/24.* given up/,
    hint: /run flan down again/,
    code: "failed",
  });
  assert.deepEqual(await remove(), { removed: [], left: [] });
});

Deno.test("hooks: only root reads what is kept, for commands and data may be secrets", async () => {
  using place = new Place();
  await place.apply(["add", place.hook(2)]);
  assert.equal(Deno.statSync(place.file).mode! & 0o777, 0o600);
});

Deno.test("hooks: a host that was not told to run the network's commands does not have the feature", async () => {
  using place = new Place();
  await place.kernel.require(["hooks"]);
  await assert.rejects(place.open(false).require(["hooks"]), {
    code: "not-permitted",
    hint: /--backend extension/,
  });
});

Deno.test("hooks: the kernel's own objects are the inner kernel's, in the order of the changes", async () => {
  using place = new Place();
  const route = { ...defaultRoute, destination: "10.9.0.0/24", gateway: "192.0.2.9" };
  await place.kernel.apply([{ verb: "add", object: route }, { verb: "add", object: place.hook(2) }]);
  assert.deepEqual(place.inner.attempted.map(({ object }) => object.kind), ["route"]);
  assert.equal(
    (await place.kernel.dump({ links: [], sysctls: [] })).some((one) =>
      one.kind === "route" && one.destination === "10.9.0.0/24"
    ),
    true,
  );
});

Deno.test("hooks: a damaged file keeps nothing else from being seen and changed, and is told of once, with the remedy", async () => {
  using place = new Place();
  const route = { ...defaultRoute, destination: "10.9.0.0/24", gateway: "192.0.2.9" };
  for (const text of ["{", '{"schema":"flan.hooks/v1","hooks":[{}]}']) {
    place.told.lines.length = 0;
    Deno.writeTextFileSync(place.file, text);
    assert.deepEqual([await place.hooks(), await place.hooks()], [[], []]);
    assert.match(place.told.messages.join(), /^Cannot use .*hooks\.json: /);
    assert.match(`${place.told.lines[0]!.fields["hint"]}`, /by hand .*, and remove .*hooks\.json$/);
    const changes = [{ verb: "add", object: place.hook(2) }, { verb: "replace", object: route }] as const;
    const failures = await place.kernel.apply(changes);
    assert.deepEqual(failures.map(({ change }) => change), [changes[0]], "the route was set");
    assert.match(failures[0]!.error.message, /hooks\.json/);
    assert.deepEqual(
      [place.log(), Deno.readTextFileSync(place.file)],
      [[], text],
      "nothing ran, nothing was lost",
    );
  }
});

Deno.test("hooks: whoever only looks is told of a damaged file in place of the log", async () => {
  using place = new Place();
  Deno.writeTextFileSync(place.file, "{");
  const told: string[] = [];
  const kernel = openHookedKernel(place.inner, {
    ...{ file: place.file, clock: place.clock, allowed: false, log: place.told },
    unseen: ({ code }) => told.push(code),
    seen: () => told.push("seen"),
  });
  await kernel.dump({ links: [], sysctls: [] });
  assert.deepEqual([told, place.told.messages], [["invalid"], []]);
  Deno.removeSync(place.file);
  await kernel.dump({ links: [], sysctls: [], linksOnly: true });
  await kernel.dump({ links: [], sysctls: [] });
  assert.deepEqual(told, ["invalid", "seen"]);
});

Deno.test("hooks: one that would make the file too large to be read is not run, and all others stay readable", async () => {
  using place = new Place();
  const large = place.hook(2, { add: "", remove: "", data: "x".repeat(63 * 1024 * 1024) });
  await writeHooks(place.file, new Map([[keyOf(large), large]]));
  const over = place.hook(3, { data: "é".repeat(1024 * 1024) });
  const failures = await place.apply(["add", over], ["replace", { ...over, subnet: large.subnet }]);
  assert.deepEqual(failures.length, 1, "one in the place of the large one has room");
  assert.match(failures[0]!, /10\.5\.3\.0\/24: .*hooks\.json would be larger than 67108864 bytes$/);
  assert.deepEqual((await place.hooks()).map(({ subnet }) => subnet), ["10.5.2.0/24"]);
  assert.deepEqual(place.log().map((line) => line.slice(0, 16)), ["add 10.5.2.0/24 "]);
});
