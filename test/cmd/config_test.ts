/** The loader: one value from five places, and every mistake said with its place. */
import assert from "node:assert/strict";
import { type Joined, writeJoined } from "../../agent/joined.ts";
import { display, type Follows, loadSettings, openConfigFile } from "../../cmd/config.ts";
import { environmentName, kebab, type SettingKey, settingKeys } from "../../cmd/settings.ts";
import { FlanError } from "../../net/errors.ts";

interface Places {
  readonly flags?: Record<string, unknown>;
  readonly env?: Record<string, string>;
  /** The config file's text. */
  readonly file?: string;
  readonly json?: boolean;
  readonly joined?: Pick<Joined, "settings" | "found" | "underlay">;
  readonly follows?: Follows;
}

/** Loads the settings with exactly these places set. */
async function load({ flags = {}, env = {}, file = "", json = false, joined, follows = "all" }: Places) {
  const dir = await Deno.makeTempDir({ prefix: "flan-config-" });
  const path = `${dir}/config.${json ? "json" : "yaml"}`;
  const before = Deno.env.toObject();
  try {
    Deno.writeTextFileSync(path, file);
    const opened = await openConfigFile({ config: path });
    if (joined !== undefined) await writeJoined(dir, { pid: 1, ...joined });
    for (const name of Object.keys(before)) if (name.startsWith("FLAN_")) Deno.env.delete(name);
    for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
    return loadSettings({ runDir: dir, ...flags }, { follows, file: opened });
  } finally {
    for (const name of Object.keys(env)) Deno.env.delete(name);
    for (const [name, value] of Object.entries(before)) {
      if (name.startsWith("FLAN_")) Deno.env.set(name, value);
    }
    await Deno.remove(dir, { recursive: true });
  }
}

async function complaint(places: Places): Promise<FlanError> {
  try {
    await load(places);
  } catch (error) {
    assert.ok(error instanceof FlanError && error.code === "invalid", String(error));
    return error;
  }
  throw new Error("the settings were accepted");
}

const joined = {
  settings: { mtu: "1300", store: "file:/j.json", iface: "-" },
  found: { iface: "eth7", mtu: "1299" },
};

Deno.test("a flag stands over the environment, that over the file, that over what was joined, that over the default", async () => {
  const all = { flags: { mtu: "1600" }, env: { FLAN_MTU: "1500" }, file: "mtu: 1400", joined };
  const { flags: _, ...noFlag } = all;
  const { env: __, ...noEnvironment } = noFlag;
  const { file: ___, ...onlyJoined } = noEnvironment;
  const expected: [Places, number | undefined, string][] = [
    [all, 1600, "flag"],
    [noFlag, 1500, "environment"],
    [noEnvironment, 1400, "file"],
    [onlyJoined, 1300, "joined"],
    [{ ...onlyJoined, follows: "network" }, undefined, "default"],
    [{}, undefined, "default"],
  ];
  for (const [places, mtu, source] of expected) {
    const { settings, sources } = await load(places);
    assert.deepEqual([settings.mtu, sources.mtu], [mtu, source]);
  }
});

Deno.test("up goes on with the network that the host is in where nobody names another one", async () => {
  const was = { settings: { ...joined.settings, stateDir: "/j", storeUser: "me" }, found: {} };
  const { settings, sources } = await load({ joined: was, follows: "network" });
  assert.deepEqual([settings.store, settings.stateDir, settings.storeUser], ["file:/j.json", "/j", "me"]);
  assert.deepEqual([sources.store, sources.mtu], ["joined", "default"]);
  const other = await load({ joined: was, follows: "network", flags: { store: "file:/other.json" } });
  assert.deepEqual([other.settings.store, other.settings.storeUser], ["file:/other.json", undefined]);
  const none = await load({ joined: was, follows: "nothing" });
  assert.equal(none.sources.store, "default");
});

Deno.test("what was left open when joining is found again, but for the chosen link", async () => {
  const { settings, sources } = await load({ joined: { ...joined, settings: { mtu: "-", iface: "-" } } });
  assert.deepEqual([settings.mtu, sources.mtu], [undefined, "default"]);
  assert.deepEqual([settings.iface, sources.iface], [["eth7"], "joined"]);
  const underlay = { link: "eth7", address: "192.0.2.7" };
  const { settings: known } = await load({ joined: { settings: { iface: "-" }, found: {}, underlay } });
  assert.deepEqual(known.iface, ["192.0.2.7", "eth7"], "the link may have other addresses, too");
});

Deno.test("a pattern with a comma is followed as the host had joined with it", async () => {
  const iface = ["regex:^e.{1,3}$", "eth9"];
  const { settings } = await load({ joined: { settings: { iface: display("iface", iface) }, found: {} } });
  assert.deepEqual(settings.iface, iface);
});

Deno.test("what says which host is meant and how long its lease lives is remembered, and nothing else", async () => {
  const { settings, sources } = await load({
    joined: { settings: { leaseTtl: "1h", quiet: "true", backend: "x" }, found: {} },
  });
  assert.deepEqual([sources.quiet, sources.backend], ["default", "default"]);
  assert.deepEqual([settings.leaseTtl, sources.leaseTtl], [3600, "joined"]);
});

const remote = {
  store: "etcds://h1:2379/net",
  storeCa: "/etc/ca.pem",
  storeUser: "root",
  storePasswordFile: "/etc/password",
  storeTokenFile: "/etc/token",
};
const credentials = ["storeCa", "storeUser", "storePasswordFile", "storeTokenFile"] as const;

Deno.test("what was shown to the joined store is shown to no other, wherever that is named", async () => {
  const joined = { settings: remote, found: {} };
  const other = "http://127.0.0.1:1/x.json";
  for (
    const named of [{ flags: { store: other } }, { env: { FLAN_STORE: other } }, { file: `store: ${other}` }]
  ) {
    const { settings, sources } = await load({ joined, ...named });
    assert.equal(settings.store, other);
    for (const key of credentials) assert.deepEqual([settings[key], sources[key]], [undefined, "default"]);
  }
});

Deno.test("the joined store is known with its credentials, also when it is named again", async () => {
  const joined = { settings: remote, found: {} };
  for (const named of [{}, { flags: { store: remote.store } }]) {
    const { settings, sources } = await load({ joined, ...named });
    assert.equal(settings.store, remote.store);
    for (const key of credentials) assert.deepEqual([settings[key], sources[key]], [remote[key], "joined"]);
  }
});

Deno.test("a password in a store that is refused is not shown", async () => {
  for (const named of [{ flags: { store: "file:u:s3cret@h" } }, { file: "store: [file:u:s3cret@h]" }]) {
    const { message } = await complaint(named);
    assert.match(message, /…@h": /);
    assert.doesNotMatch(message, /s3cret/);
  }
});

Deno.test("an empty variable and a null in the file say nothing", async () => {
  const { settings, sources } = await load({ env: { FLAN_MTU: "" }, file: "mtu:\nlease-ttl: 1h" });
  assert.deepEqual([settings.mtu, sources.mtu], [undefined, "default"]);
  assert.deepEqual([settings.leaseTtl, sources.leaseTtl], [3600, "file"]);
});

Deno.test("YAML and JSON say the same", async () => {
  const yaml = "# a comment\niface: [eth0, 'regex:^en']\nbackend-option: {VNI: 7}\nquiet: true\n";
  const json = '{\n\t"iface": ["eth0", "regex:^en"],\n\t"backend-option": {"VNI": 7}, "quiet": true}';
  const one = await load({ file: yaml });
  const other = await load({ file: json, json: true });
  assert.deepEqual({ ...one.settings, runDir: "" }, { ...other.settings, runDir: "" });
  assert.deepEqual(one.settings.iface, ["eth0", "regex:^en"]);
  assert.deepEqual(one.settings.backendOption, { VNI: 7 });
});

for (const file of ["", "\n", "# nothing yet\n", "---\n"]) {
  Deno.test(`a config file of ${JSON.stringify(file)} is no error`, async () => {
    assert.equal((await load({ file })).settings.mtu, undefined);
  });
}

Deno.test("every bad value is named with its place", async () => {
  assert.match((await complaint({ flags: { mtu: "x" } })).message, /^Cannot use --mtu "x": a whole number/);
  assert.match((await complaint({ env: { FLAN_MTU: "x" } })).message, /^Cannot use FLAN_MTU "x": a whole/);
  assert.match(
    (await complaint({ file: "mtu: x" })).message,
    /^Cannot use mtu in \/.*config\.yaml "x": a whole/,
  );
  const torn = { joined: { settings: { mtu: "x" }, found: {} } };
  assert.match((await complaint(torn)).message, /^Cannot use mtu in joined\.json "x": a whole/);
});

Deno.test("unknown keys and variables are errors with the nearest name", async () => {
  const key = await complaint({ file: "lease_ttl: 1h" });
  assert.match(key.message, /^Cannot use \/.*config\.yaml: "lease_ttl" is not a setting$/);
  assert.equal(key.hint, "did you mean lease-ttl?");
  const variable = await complaint({ env: { FLAN_MTUS: "1" } });
  assert.match(variable.message, /^Cannot use environment variable "FLAN_MTUS": no setting has that name$/);
  assert.equal(variable.hint, "did you mean FLAN_MTU?");
});

Deno.test("a value whose aliases never end is refused without being written out", async () => {
  assert.match(
    (await complaint({ file: "public-ip: &a [*a, *a]" })).message,
    /yaml \(a list\): text is needed$/,
  );
  assert.match((await complaint({ file: "mtu: &a {x: *a}" })).message, /yaml \(a mapping\): a whole number/);
  assert.match((await complaint({ file: "backend-option: &a [*a, *a]" })).message, /yaml \(a list\): /);
});

Deno.test("a secret stands in no argument, and no complaint repeats one", async () => {
  const secret = btoa("x".repeat(32));
  for (const raw of [[`PSK=${secret}`], ["VNI=7", `psk=${secret}`], [`VNI=7, PSK=${secret}`]]) {
    const { message, hint } = await complaint({ flags: { backendOption: raw } });
    assert.equal(
      message,
      "Cannot use --backend-option: it holds a secret, and everybody on this host sees the arguments of a command",
    );
    assert.match(hint!, /^flan config set Backend\.PSK --file FILE /);
  }
  const torn = [
    { env: { FLAN_BACKEND_OPTION: `PSK=${secret},VNI` } },
    { file: `backend-option: [PSK=${secret}, VNI]` },
    { file: `backend-option: {PSK: ${secret}, "7": 1}` },
  ];
  for (const places of torn) {
    const { message } = await complaint(places);
    assert.match(message, /\(secret\): /);
    assert.ok(!message.includes(secret));
  }
  const { settings } = await load({ env: { FLAN_BACKEND_OPTION: `PSK=${secret}` } });
  assert.deepEqual(settings.backendOption, { PSK: secret });
  assert.equal(display("backendOption", settings.backendOption), "PSK=(secret)");
  assert.deepEqual((await load({ flags: { backendOption: ["PSK="] } })).settings.backendOption, { PSK: "" });
});

Deno.test("names of flags and variables are made from the key", () => {
  assert.equal(kebab("stateDir"), "state-dir");
  assert.equal(environmentName("stateDir"), "FLAN_STATE_DIR");
  assert.equal(new Set(settingKeys.map(environmentName)).size, settingKeys.length);
});

Deno.test("what display writes, the loader reads back as the same value", async () => {
  const values: Partial<Record<SettingKey, unknown>> = {
    leaseTtl: 5400,
    iface: ["eth0", "can-reach:192.0.2.9"],
    backendOption: { VNI: 7, Mode: "on-demand", GBP: true },
    network: "10.5.0.0/16",
    mtu: 1400,
  };
  for (const [key, value] of Object.entries(values)) {
    const text = display(key as SettingKey, value);
    assert.deepEqual((await load({ flags: { [key]: text } })).settings[key as SettingKey], value, text);
  }
  const durations = [86_400, 5400, 90, 60].map((one) => display("leaseTtl", one));
  assert.deepEqual(durations, ["24h", "90m", "90s", "1m"]);
  assert.equal(display("mtu", undefined), "-");
});
