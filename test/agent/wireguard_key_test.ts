/** The host's WireGuard key: made once, kept from everybody, found again, and never made up over a damaged one. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { HostSecrets } from "../../agent/secrets.ts";
import { ensureIdentity } from "../../agent/host.ts";
import {
  ensurePublicKeys,
  readPrivateKey,
  readPublicKey,
  readPublicKeys,
} from "../../agent/wireguard_key.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { clamped, keyText, publicKeyOf, readKey } from "../../net/wireguard_key.ts";
import { config } from "../lib/overlay.ts";

const device = "flan-wg";
const wish = { devices: [device], clock: systemClock };

async function inStateDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-wgkey-" });
  try {
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("wireguard key: a public key is that of wg pubkey, and random bytes are a key as RFC 7748 has it", async () => {
  assert.equal(await publicKeyOf(new Uint8Array(32).fill(7)), "E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=");
  const key = clamped(new Uint8Array(32).fill(255));
  assert.deepEqual([key[0], key[1], key[31]], [248, 255, 127]);
  assert.deepEqual(readKey(keyText(key)), key);
});

Deno.test("wireguard key: it is made once, and only root reads the private one", () =>
  inStateDir(async (dir) => {
    assert.deepEqual([readPublicKey(dir, device), readPrivateKey(dir, device)], [undefined, undefined]);
    const [[one], [other]] = await Promise.all([
      ensurePublicKeys(dir, wish) as Promise<[string]>,
      ensurePublicKeys(dir, wish) as Promise<[string]>,
    ]);
    assert.equal(one, other);
    assert.equal(readPublicKey(dir, device), one);
    assert.equal(await publicKeyOf(readPrivateKey(dir, device)!), one);
    assert.equal(Deno.statSync(`${dir}/wireguard.key`).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(`${dir}/wireguard.pub`).mode! & 0o777, 0o644);
  }));

Deno.test("wireguard key: whoever brings a private key has its public one", () =>
  inStateDir(async (dir) => {
    await ensurePublicKeys(dir, wish);
    const key = clamped(new Uint8Array(32).fill(7));
    Deno.writeTextFileSync(`${dir}/wireguard.key`, `${keyText(key)}\n`);
    assert.deepEqual(await ensurePublicKeys(dir, wish), [await publicKeyOf(key)]);
    assert.equal(readPublicKey(dir, device), await publicKeyOf(key));
  }));

Deno.test("wireguard key: a damaged one is refused and not repeated", () =>
  inStateDir(async (dir) => {
    Deno.writeTextFileSync(`${dir}/wireguard.key`, "c2VjcmV0");
    await assert.rejects(ensurePublicKeys(dir, wish), (error: Error & { code?: string }) => {
      assert.equal(error.message, `Cannot use ${dir}/wireguard.key: it holds no WireGuard key`);
      return error.code === "invalid";
    });
    assert.equal(Deno.readTextFileSync(`${dir}/wireguard.key`), "c2VjcmV0");
  }));

Deno.test("wireguard key: each device has its own, which a host of one device before gets beside it, and keeps", () =>
  inStateDir(async (dir) => {
    const host = { node: "3f2a", stateDir: dir, clock: systemClock, objects: [] };
    const keysOf = async (devices: readonly string[]) =>
      (await ensureIdentity({ backend: wireguard, devices }, host)).publicKeys;
    const [first] = await keysOf(["flan-wg"]);
    const both = await keysOf(["flan-wg", "flan-wg-v6"]);
    assert.equal(both[0], first);
    assert.equal(new Set(both).size, 2);
    assert.deepEqual(await keysOf(["flan-wg-v6"]), [both[1]]);
    assert.equal(Deno.readTextFileSync(`${dir}/wireguard-v6.pub`).trim(), both[1]);
    assert.equal(Deno.statSync(`${dir}/wireguard-v6.key`).mode! & 0o777, 0o600);
    const secrets = new HostSecrets(dir);
    assert.deepEqual(
      both.map((key) => secrets.find(key)),
      ["flan-wg", "flan-wg-v6"].map((one) => readPrivateKey(dir, one)),
    );
  }));

const [first, second] = ["flan-wg", "flan-wg-v6"] as const;
const keysOf = (dir: string, ...devices: string[]) => ensurePublicKeys(dir, { devices, clock: systemClock });

Deno.test("wireguard key: the only device of a network takes over what the host has, and so does the other one again", () =>
  inStateDir(async (dir) => {
    // As of a network of IPv6 alone before each device had a file of its own, or as an administrator brought it.
    const key = clamped(new Uint8Array(32).fill(9));
    Deno.writeTextFileSync(`${dir}/wireguard.key`, `${keyText(key)}\n`, { mode: 0o600 });
    Deno.writeTextFileSync(`${dir}/wireguard.pub`, `${await publicKeyOf(key)}\n`);
    const publicKey = await publicKeyOf(key);
    assert.deepEqual(readPublicKeys(dir, [second]), [publicKey], "who looks sees it before it is renamed");
    assert.deepEqual(await keysOf(dir, second), [publicKey]);
    const files = () =>
      [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) => /wire/.test(name));
    assert.deepEqual(files().sort(), ["wireguard-v6.key", "wireguard-v6.pub"]);
    assert.equal(Deno.statSync(`${dir}/wireguard-v6.key`).mode! & 0o777, 0o600);
    assert.deepEqual(new HostSecrets(dir).find(publicKey), key);
    assert.deepEqual(await keysOf(dir, first), [publicKey], "another Mode");
    assert.deepEqual(files().sort(), ["wireguard.key", "wireguard.pub"]);
    assert.deepEqual(new HostSecrets(dir).find(publicKey), key);
  }));

Deno.test("wireguard key: a network of IPv6 alone that becomes dual stack leaves each device a key of its own, and the old one where it was", () =>
  inStateDir(async (dir) => {
    const [six] = await keysOf(dir, second);
    assert.deepEqual(readPublicKeys(dir, [first, second]), ["", six]);
    const [four, ...others] = await keysOf(dir, first, second);
    assert.deepEqual(others, [six]);
    assert.notEqual(four, six);
    assert.deepEqual([await keysOf(dir, second), await keysOf(dir, first)], [[six], [four]], "and back");
  }));

Deno.test("wireguard key: no damaged one is taken over", () =>
  inStateDir(async (dir) => {
    Deno.writeTextFileSync(`${dir}/wireguard.key`, "c2VjcmV0");
    await assert.rejects(keysOf(dir, second), {
      message: `Cannot use ${dir}/wireguard.key: it holds no WireGuard key`,
    });
    assert.equal(Deno.readTextFileSync(`${dir}/wireguard.key`), "c2VjcmV0");
  }));

Deno.test("secrets: the host's own key by its public one, and the network's by its fingerprint, as long as it is in it", () =>
  inStateDir(async (dir) => {
    const [publicKey] = await ensurePublicKeys(dir, wish) as [string];
    const secrets = new HostSecrets(dir);
    const PSK = new Uint8Array(32).fill(5);
    const name = fingerprint(PSK);
    assert.deepEqual(secrets.find(publicKey), readPrivateKey(dir, device));
    assert.equal(secrets.find(name), undefined);
    secrets.learn({ backend: wireguard, config: config({ PSK: keyText(PSK) }, "wireguard") });
    assert.deepEqual(secrets.find(name), PSK);
    secrets.learn({ backend: wireguard, config: config({}, "wireguard") });
    assert.equal(secrets.find(name), undefined);
  }));
