/** The ledger of IPsec keys: none is given twice, whatever happens to the host, its clock and its files. */
import assert from "node:assert/strict";
import { ensureIpsec, forgetIpsec, IpsecLedger, readIpsec } from "../../agent/ipsec_ledger.ts";
import { isNonce } from "../../net/ipsec_key.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const SPAN = 3_600_000;

class Setup {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-ipsec-" });
  readonly clock = new FakeClock();
  readonly ledger = new IpsecLedger(this.dir, this.clock);
  readonly when = { clock: this.clock, span: SPAN };

  ensure = (span = SPAN, { stands = true, at = "192.0.2.1 192.0.2.1", isHeld = false } = {}) =>
    ensureIpsec(this.dir, { clock: this.clock, span, stands, at, isHeld });
  read = () => readIpsec(this.dir, this.when);
  file = () => JSON.parse(Deno.readTextFileSync(`${this.dir}/ipsec.json`));

  edit = (change: object) =>
    Deno.writeTextFileSync(`${this.dir}/ipsec.json`, JSON.stringify({ ...this.file(), ...change }));

  spend = async (name: string, { nonce, epoch }: { nonce: string; epoch: number }) =>
    (await this.ledger.spend([{ fingerprint: name, epoch, nonces: ["peer", nonce] }]))[0];
}

async function within(body: (setup: Setup) => Promise<void>): Promise<void> {
  const setup = new Setup();
  try {
    await body(setup);
  } finally {
    Deno.removeSync(setup.dir, { recursive: true });
  }
}

Deno.test("ipsec ledger: a nonce is made once, and who only looks makes none", () =>
  within(async ({ ensure, read, clock }) => {
    const epoch = Math.floor(clock.now() / SPAN);
    assert.deepEqual(read(), { nonce: "", epoch });
    const made = await ensure();
    assert.ok(isNonce(made.nonce));
    assert.equal(made.epoch, epoch);
    assert.deepEqual([await ensure(), read()], [made, made]);
  }));

Deno.test("ipsec ledger: a key is given once, and a second time costs the nonce", () =>
  within(async ({ ensure, spend }) => {
    const first = await ensure();
    assert.deepEqual([await spend("a", first), await spend("b", first)], [true, true]);
    assert.equal(await spend("a", first), false);
    const second = await ensure();
    assert.notEqual(second.nonce, first.nonce);
    assert.equal(await spend("c", first), false, "a key of the former nonce");
    assert.deepEqual(await ensure(), second, "and that costs no other one");
    assert.equal(await spend("d", second), true);
  }));

Deno.test("ipsec ledger: of several keys those are given that were not before, and the nonce stays until peers can be told", () =>
  within(async ({ ensure, spend, ledger, file }) => {
    const { nonce, epoch } = await ensure();
    await spend("a", { nonce, epoch });
    const nonces = [nonce, "peer"];
    const both = ["z", "a"].map((fingerprint) => ({ fingerprint, epoch, nonces }));
    assert.deepEqual(await ledger.spend(both), [true, false]);
    assert.deepEqual(file().spent, { a: epoch, z: epoch });
    assert.equal((await ensure(SPAN, { isHeld: true })).nonce, nonce);
    const after = await ensure();
    assert.notEqual(after.nonce, nonce);
    assert.deepEqual([file().spent, await ensure()], [{}, after]);
  }));

Deno.test("ipsec ledger: another address, own or announced, has another nonce, so that peers need no used key", () =>
  within(async ({ ensure }) => {
    const nonces = new Set<string>();
    for (const at of ["192.0.2.1 192.0.2.1", "192.0.2.1 198.51.100.1", "192.0.2.2 198.51.100.1"]) {
      nonces.add((await ensure(SPAN, { at, isHeld: true })).nonce);
      nonces.add((await ensure(SPAN, { at })).nonce);
    }
    assert.equal(nonces.size, 3);
  }));

Deno.test("ipsec ledger: a new epoch keeps the nonce, and forgets only keys that nobody can ask for again", () =>
  within(async ({ ensure, spend, clock, file }) => {
    const first = await ensure();
    await spend("former", { ...first, epoch: first.epoch - 1 });
    await spend("present", first);
    await spend("next", { ...first, epoch: first.epoch + 1 });
    await clock.advance(SPAN);
    const second = await ensure();
    assert.deepEqual(second, { nonce: first.nonce, epoch: first.epoch + 1 });
    assert.deepEqual(Object.keys(file().spent), ["present", "next"]);
    assert.equal(await spend("older", { ...second, epoch: second.epoch - 2 }), false);
    assert.equal((await ensure()).nonce, first.nonce, "which wears nothing");
  }));

Deno.test("ipsec ledger: a clock that goes back a little stays in its epoch, and one that goes back further has another nonce", () =>
  within(async ({ ensure, edit, read, clock }) => {
    const { nonce, epoch } = await ensure();
    edit({ epoch: epoch + 1 });
    assert.deepEqual([await ensure(), read()], [{ nonce, epoch: epoch + 1 }, { nonce, epoch: epoch + 1 }]);
    edit({ epoch: epoch + 2 });
    const after = await ensure();
    assert.equal(after.epoch, Math.floor(clock.now() / SPAN));
    assert.notEqual(after.nonce, nonce);
  }));

Deno.test("ipsec ledger: another boot, another length of epochs and a damaged file have another nonce each", () =>
  within(async ({ ensure, edit, dir }) => {
    const nonces = new Set([(await ensure()).nonce]);
    edit({ boot: "00000000-0000-4000-8000-000000000009" });
    nonces.add((await ensure()).nonce);
    nonces.add((await ensure(SPAN / 2)).nonce);
    nonces.add((await ensure()).nonce);
    Deno.writeTextFileSync(`${dir}/ipsec.json`, "{");
    nonces.add((await ensure()).nonce);
    assert.equal(nonces.size, 5);
  }));

Deno.test("ipsec ledger: a file as it was once written is read, and its keys are not given again", () =>
  within(async ({ dir, clock }) => {
    const file = new URL("../../fixtures/json/v1/ipsec.json", import.meta.url);
    Deno.copyFileSync(file, `${dir}/ipsec.json`);
    const { span, epoch, nonce, spent } = JSON.parse(Deno.readTextFileSync(file));
    assert.equal(readIpsec(dir, { clock, span }).nonce, nonce);
    const [fingerprint] = Object.keys(spent);
    assert.deepEqual(
      await new IpsecLedger(dir, clock).spend([{ fingerprint: fingerprint!, epoch, nonces: [nonce] }]),
      [false],
    );
  }));

Deno.test("ipsec ledger: keys whose states are all gone cost the nonce before one of them is asked for", () =>
  within(async ({ ensure, spend }) => {
    const first = await ensure(SPAN, { stands: false });
    assert.deepEqual(await ensure(SPAN, { stands: false }), first, "none was given yet");
    await spend("a", first);
    const second = await ensure(SPAN, { stands: false });
    assert.notEqual(second.nonce, first.nonce);
    assert.equal(await spend("b", second), true);
    assert.deepEqual(await ensure(), second);
  }));

Deno.test("ipsec ledger: who leaves forgets the nonce", () =>
  within(async ({ dir, ensure, read, ledger, edit }) => {
    await ensure();
    assert.ok(ledger.isThere());
    const { boot } = JSON.parse(Deno.readTextFileSync(`${dir}/ipsec.json`));
    edit({ boot: "00000000-0000-4000-8000-000000000009" });
    assert.ok(!ledger.isThere(), "a kernel that was booted since has nothing of it");
    edit({ boot });
    forgetIpsec(dir);
    assert.ok(!ledger.isThere());
    assert.equal(read().nonce, "");
    forgetIpsec(dir);
  }));

Deno.test("ipsec ledger: without one no key is given", () =>
  within(async ({ spend }) => {
    assert.equal(await spend("a", { nonce: "n", epoch: 1 }), false);
  }));
