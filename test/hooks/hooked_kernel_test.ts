/** Hooks as objects: run once, kept over restarts, taken away as they were made, and told of when they fail. */
import assert from "node:assert/strict";
import { openHookedKernel } from "../../hooks/hooked_kernel.ts";
import type { Change } from "../../kernel/kernel.ts";
import type { Hook } from "../../kernel/state.ts";
import { defaultRoute } from "../lib/agents.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";

class Place implements Disposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-hooks-" });
  readonly file = `${this.dir}/hooks.json`;
  readonly inner = new FakeKernel();
  readonly clock = new FakeClock();
  kernel = this.open();

  open(allowed = true) {
    return openHookedKernel(this.inner, { file: this.file, clock: this.clock, allowed });
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

Deno.test("hooks: a damaged file is an error that names it, and no empty answer", async () => {
  using place = new Place();
  for (const text of ["{", '{"schema":"flan.hooks/v1","hooks":[{}]}']) {
    Deno.writeTextFileSync(place.file, text);
    await assert.rejects(place.hooks(), { code: "invalid", message: /hooks\.json/ });
  }
});
