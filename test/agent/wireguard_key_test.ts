/** The host's WireGuard key: made once, kept from everybody, found again, and never made up over a damaged one. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { HostSecrets } from "../../agent/secrets.ts";
import { ensurePublicKey, readPrivateKey, readPublicKey } from "../../agent/wireguard_key.ts";
import { wireguard } from "../../backends/wireguard.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { clamped, keyText, publicKeyOf, readKey } from "../../net/wireguard_key.ts";
import { config } from "../lib/overlay.ts";

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
    assert.deepEqual([readPublicKey(dir), readPrivateKey(dir)], [undefined, undefined]);
    const [one, other] = await Promise.all([
      ensurePublicKey(dir, systemClock),
      ensurePublicKey(dir, systemClock),
    ]);
    assert.equal(one, other);
    assert.equal(readPublicKey(dir), one);
    assert.equal(await publicKeyOf(readPrivateKey(dir)!), one);
    assert.equal(Deno.statSync(`${dir}/wireguard.key`).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(`${dir}/wireguard.pub`).mode! & 0o777, 0o644);
  }));

Deno.test("wireguard key: whoever brings a private key has its public one", () =>
  inStateDir(async (dir) => {
    await ensurePublicKey(dir, systemClock);
    const key = clamped(new Uint8Array(32).fill(7));
    Deno.writeTextFileSync(`${dir}/wireguard.key`, `${keyText(key)}\n`);
    assert.equal(await ensurePublicKey(dir, systemClock), await publicKeyOf(key));
    assert.equal(readPublicKey(dir), await publicKeyOf(key));
  }));

Deno.test("wireguard key: a damaged one is refused and not repeated", () =>
  inStateDir(async (dir) => {
    Deno.writeTextFileSync(`${dir}/wireguard.key`, "c2VjcmV0");
    await assert.rejects(ensurePublicKey(dir, systemClock), (error: Error & { code?: string }) => {
      assert.equal(error.message, `Cannot use ${dir}/wireguard.key: it holds no WireGuard key`);
      return error.code === "invalid";
    });
    assert.equal(Deno.readTextFileSync(`${dir}/wireguard.key`), "c2VjcmV0");
  }));

Deno.test("secrets: the host's own key by its public one, and the network's by its fingerprint, as long as it is in it", () =>
  inStateDir(async (dir) => {
    const publicKey = await ensurePublicKey(dir, systemClock);
    const secrets = new HostSecrets(dir);
    const PSK = new Uint8Array(32).fill(5);
    const name = fingerprint(PSK);
    assert.deepEqual(secrets.find(publicKey), readPrivateKey(dir));
    assert.equal(secrets.find(name), undefined);
    secrets.learn({ backend: wireguard, config: config({ PSK: keyText(PSK) }, "wireguard") });
    assert.deepEqual(secrets.find(name), PSK);
    secrets.learn({ backend: wireguard, config: config({}, "wireguard") });
    assert.equal(secrets.find(name), undefined);
  }));
