/** The flags that a host had joined with, for whoever starts its agent anew. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Joined } from "../../agent/joined.ts";
import { display, loadSettings, openConfigFile } from "../../cmd/config.ts";
import { differencesToJoined, formerFlags, startCommand } from "../../cmd/rejoin.ts";
import { type SettingKey, settingKeys } from "../../cmd/settings.ts";
import { silent } from "../../net/log.ts";

/** The context of a command with these flags, and what it would keep in joined.json. */
async function given(flags: Record<string, unknown>, file = "") {
  const dir = await Deno.makeTempDir({ prefix: "flan-rejoin-" });
  try {
    Deno.writeTextFileSync(`${dir}/config.yaml`, file);
    const opened = await openConfigFile({ config: `${dir}/config.yaml` });
    const loaded = loadSettings(flags, { follows: "nothing", file: opened });
    const context = { ...loaded, clock: systemClock, log: silent };
    const shown = settingKeys.map((key) => [key, display(key, loaded.settings[key])]);
    const joined: Joined = { pid: 1, settings: Object.fromEntries(shown), found: {} };
    return { context, joined };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const flags: readonly [flags: Partial<Record<SettingKey, unknown>>, told: string][] = [
  [{}, ""],
  [{ ipMasq: true, listen: "127.0.0.1:8474" }, "--ip-masq --listen 127.0.0.1:8474"],
  [{ noMasq: ["10.0.0.0/8", "192.0.2.0/24"] }, "--no-masq 10.0.0.0/8 --no-masq 192.0.2.0/24"],
  [{ iface: ["regex:eth[0-9]"], mtu: "1400" }, "--iface 'regex:eth[0-9]' --mtu 1400"],
  [{ iface: ["regex:^e.{1,3}$", "eth9"] }, "--iface 'regex:^e.{1,3}$' --iface eth9"],
  [{ runDir: "/run/two", leaseTtl: "2h" }, "--lease-ttl 2h --run-dir /run/two"],
  [{ backend: "extension" }, "--backend extension"],
  [{ encrypt: true }, "--encrypt"],
  [{ backend: "vxlan", network: "10.9.0.0/16", store: "http://me:s3cret@h/x.json", logFormat: "json" }, ""],
];

for (const [said, told] of flags) {
  Deno.test(`a host that has joined with ${JSON.stringify(said)} is started by "${told}" again`, async () => {
    const { joined } = await given(said);
    const { context } = await given({});
    assert.deepEqual(formerFlags(context, joined).join(" "), told);
    assert.equal(startCommand(context, joined), `flan up --detach ${told}`.trim());
  });
}

Deno.test("a host that has joined no network is started by the command alone", async () => {
  const { context } = await given({});
  assert.equal(startCommand(context, undefined), "flan up --detach");
});

Deno.test("what the config file says is no flag, unless it says something else by now", async () => {
  const { joined } = await given({ listen: "127.0.0.1:1", ipMasq: true });
  const { context } = await given({}, "listen: 127.0.0.1:1\nip-masq: true\n");
  assert.deepEqual(formerFlags(context, joined), []);
  const { context: other } = await given({}, "listen: 127.0.0.1:2\n");
  assert.deepEqual(formerFlags(other, joined), ["--ip-masq", "--listen 127.0.0.1:1"]);
});

Deno.test("an agent that starts otherwise than the one before says what is another, and nothing else", async () => {
  const { joined } = await given({ ipMasq: true, listen: "127.0.0.1:1", quiet: true, backend: "vxlan" });
  const { context } = await given({ mtu: "1400" });
  assert.deepEqual(differencesToJoined(context, joined), [
    "Joined before without mtu, starting with mtu 1400",
    "Joined before with ip-masq true, starting with ip-masq false",
    "Joined before with listen 127.0.0.1:1, starting without listen",
  ]);
  assert.deepEqual(differencesToJoined(context, { ...joined, found: { mtu: "1400" } }).length, 2);
  const { context: same } = await given({ ipMasq: true, listen: "127.0.0.1:1" });
  assert.deepEqual(differencesToJoined(same, joined), []);
});
