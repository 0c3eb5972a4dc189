/** A kernel with WireGuard: what is told to its devices, and what of them counts as somebody else's change. */
import assert from "node:assert/strict";
import { wireguard } from "../../backends/wireguard.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { claims } from "../../kernel/ownership.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { type KernelObject, keyOf, type Link, type WireguardPeer } from "../../kernel/state.ts";
import type { Lease } from "../../lease/lease.ts";
import { keyText } from "../../net/wireguard_key.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { FakeWireguard, privateKeyOf, publicKey } from "../lib/fake_wireguard.ts";
import { wireguardHost, wireguardLease, wireguardOwner, wireguardView } from "../lib/overlay.ts";

const LINK = "flan-wg";

function planned(peers: readonly (number | Lease)[], options = {}): readonly KernelObject[] {
  return wireguard.plan(wireguardView(peers, options), wireguardHost()).objects;
}

class Setup {
  readonly clock = new FakeClock();
  readonly fake: FakeWireguard;
  readonly kernel: Kernel;
  reconciler: Reconciler;

  constructor({ native = true } = {}) {
    this.fake = new FakeWireguard({ native });
    this.kernel = this.fake.open({ clock: this.clock }).kernel;
    this.reconciler = this.fresh();
  }

  fresh(kernel = this.kernel): Reconciler {
    return new Reconciler(kernel, { owner: wireguardOwner, clock: this.clock });
  }

  /** What is done, as words. */
  async reconcile(objects: readonly KernelObject[]): Promise<string[]> {
    const report = await this.reconciler.reconcile(objects, { resync: true });
    assert.deepEqual(report.failures.map(({ error }) => error.message), []);
    return report.done.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
  }

  async peers(): Promise<WireguardPeer[]> {
    const objects = await this.kernel.dump({ links: [LINK], sysctls: [] });
    return objects.filter((object): object is WireguardPeer => object.kind === "wireguard-peer");
  }

  /** Seconds since 1970. */
  get now(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

const peerTwo = `wireguard-peer ${publicKey(2)} dev ${LINK}`;
const away = "198.51.100.7:40000";

for (const native of [true, false]) {
  const whose = native ? "the kernel's device" : "a program's device";

  Deno.test(`wireguard kernel: ${whose} has key and port once, and a restart tells it nothing`, async () => {
    const setup = new Setup({ native });
    await setup.reconcile(planned([2, 3]));
    const device = setup.fake.device(LINK);
    assert.deepEqual([device.publicKey, device.listenPort], [publicKey(1), 51820]);
    assert.deepEqual(device.peers.map(({ endpoint, allowedIps }) => [endpoint, ...allowedIps]), [
      ["192.0.2.2:51820", "10.5.2.0/24"],
      ["192.0.2.3:51820", "10.5.3.0/24"],
    ]);
    assert.equal(setup.fake.programs.started, native ? 0 : 1);
    const told = setup.fake.told.length;
    setup.reconciler = setup.fresh(setup.fake.open({ clock: setup.clock }).kernel);
    assert.deepEqual(await setup.reconcile(planned([2, 3])), []);
    assert.equal(setup.fake.told.length, told);
  });

  Deno.test(`wireguard kernel: ${whose} gets another port in place, and the peers keep their sessions`, async () => {
    const setup = new Setup({ native });
    await setup.reconcile(planned([2]));
    const told = setup.fake.told.length;
    assert.deepEqual(await setup.reconcile(planned([2], { ListenPort: 4000 })), [`replace link ${LINK}`]);
    assert.deepEqual(setup.fake.told.slice(told).map(({ change }) => change), [{ listenPort: 4000 }]);
  });

  Deno.test(`wireguard kernel: on a port that is taken ${whose} is not made, and the port is named`, async () => {
    const setup = new Setup({ native });
    setup.fake.taken = 51820;
    const report = await setup.reconciler.reconcile(planned([2]), { resync: true });
    assert.equal(
      report.failures[0]?.error.message,
      `Cannot add link ${LINK}: UDP port 51820 is taken by another program (EADDRINUSE)`,
    );
    assert.equal(setup.fake.stack.link(LINK), undefined);
  });
}

Deno.test("wireguard kernel: a peer that has moved keeps the endpoint that it was heard from", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.hear(LINK, publicKey(2), { endpoint: away, handshake: setup.now - 100 });
  assert.deepEqual(await setup.reconcile(planned([2])), []);
  // Also for who does not know what it was given.
  setup.reconciler = setup.fresh(setup.fake.open({ clock: setup.clock }).kernel);
  assert.deepEqual(await setup.reconcile(planned([2])), []);
});

Deno.test("wireguard kernel: what else is changed of a peer that has moved leaves its endpoint alone", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.hear(LINK, publicKey(2), { endpoint: away, handshake: setup.now - 100 });
  const options = { PersistentKeepaliveInterval: 25 };
  assert.deepEqual(await setup.reconcile(planned([2], options)), [`replace ${peerTwo}`]);
  const [peer] = await setup.peers();
  assert.deepEqual([peer!.endpoint, peer!.keepalive, peer!.handshakeAge], [away, 25, 100]);
});

Deno.test("wireguard kernel: a lease with another endpoint goes before what was heard", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.hear(LINK, publicKey(2), { endpoint: away, handshake: setup.now - 100 });
  const moved = wireguardLease(2, { publicIp: "192.0.2.102" });
  assert.deepEqual(await setup.reconcile(planned([moved])), [`replace ${peerTwo}`]);
  assert.equal((await setup.peers())[0]!.endpoint, "192.0.2.102:51820");
});

Deno.test("wireguard kernel: an endpoint that nobody was heard from for three minutes is the lease's again", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.hear(LINK, publicKey(2), { endpoint: away, handshake: setup.now - 180 });
  assert.deepEqual(await setup.reconcile(planned([2])), [`replace ${peerTwo}`]);
  assert.equal((await setup.peers())[0]!.endpoint, "192.0.2.2:51820");
});

Deno.test("wireguard kernel: a peer's new key is added before the old one goes, and takes its subnet over", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2, 3]));
  assert.deepEqual(await setup.reconcile(planned([wireguardLease(2, { key: 102 }), 3])), [
    `add wireguard-peer ${publicKey(102)} dev ${LINK}`,
    `delete ${peerTwo}`,
  ]);
  assert.deepEqual((await setup.peers()).map(({ publicKey, allowedIps }) => [publicKey, ...allowedIps]), [
    [publicKey(3), "10.5.3.0/24"],
    [publicKey(102), "10.5.2.0/24"],
  ]);
});

Deno.test("wireguard kernel: a peer of nobody's on our device goes", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  const [peer] = await setup.peers();
  const stranger = { ...peer!, publicKey: publicKey(99), allowedIps: ["10.5.99.0/24"] };
  const { kernel } = setup.fake.open({ clock: setup.clock });
  assert.deepEqual(await kernel.apply([{ verb: "add", object: stranger }]), []);
  assert.deepEqual(await setup.reconcile(planned([2])), [`delete ${keyOf(stranger)}`]);
});

Deno.test("wireguard kernel: the pre-shared key is told and never shown; unknown, its peers fail and nothing else", async () => {
  const setup = new Setup();
  const PSK = keyText(new Uint8Array(32).fill(5));
  const objects = planned([2, 3], { PSK });
  assert.ok(!JSON.stringify(objects).includes(PSK));
  const report = await setup.reconciler.reconcile(objects, { resync: true });
  assert.deepEqual(
    report.failures.map(({ error }) => error.message),
    [2, 3].map((n) =>
      `Cannot add wireguard peer ${publicKey(n)} at 192.0.2.${n}:51820 dev ${LINK}: ` +
      "its pre-shared key is not known on this host"
    ),
  );
  const secrets = new Map([...wireguard.secrets!(wireguardView([], { PSK }).network)]);
  const known = {
    find: (name: string) => secrets.get(name) ?? (name === publicKey(1) ? new Uint8Array(32) : undefined),
  };
  setup.reconciler = setup.fresh(setup.fake.open({ clock: setup.clock, secrets: known }).kernel);
  await setup.reconcile(objects);
  assert.deepEqual(setup.fake.told.at(-1)!.change.peers!.map(({ presharedKey }) => presharedKey), [
    new Uint8Array(32).fill(5),
    new Uint8Array(32).fill(5),
  ]);
  assert.ok(!JSON.stringify(await setup.peers()).includes(PSK));
});

Deno.test("wireguard kernel: the kernel's device is never made anew because it could not be read", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.isMute = true;
  for (let miss = 0; miss < 5; miss++) {
    const { done, error } = await setup.reconciler.reconcile(planned([2]), { resync: true });
    assert.deepEqual(done, []);
    assert.match(String(error), /ETIMEDOUT/);
    await setup.clock.advance(60_000);
  }
  setup.fake.isMute = false;
  assert.deepEqual(await setup.reconcile(planned([2])), []);
});

Deno.test("wireguard kernel: a program that gives no answer three times over ten seconds is ended, and another one takes its place", async () => {
  const setup = new Setup({ native: false });
  await setup.reconcile(planned([2]));
  setup.fake.isMute = true;
  const look = () => setup.kernel.dump({ links: [LINK], sysctls: [] });
  for (let miss = 0; miss < 4; miss++) await assert.rejects(look(), { errno: "ETIMEDOUT" });
  setup.fake.isMute = false;
  await look();
  setup.fake.isMute = true;
  await assert.rejects(look(), { errno: "ETIMEDOUT" });
  await setup.clock.advance(10_000);
  await assert.rejects(look(), { errno: "ETIMEDOUT" }, "an answer in between counts");
  const link = (await look()).find((object): object is Link =>
    object.kind === "link" && object.name === LINK
  );
  assert.deepEqual([link?.type, link?.wireguard], ["wireguard", undefined]);
  setup.fake.stack.listen(({ group, action }) => {
    if (group === "link" && action === "delete") setup.fake.isMute = false;
  });
  const done = await setup.reconcile(planned([2]));
  assert.deepEqual(done.slice(0, 2), [`delete link ${LINK}`, `add link ${LINK}`]);
  assert.equal(setup.fake.programs.started, 2);
  assert.deepEqual(await setup.reconcile(planned([2])), []);
});

Deno.test("wireguard kernel: who only looks is told of a device that gives no answer, and sees the rest", async () => {
  const setup = new Setup();
  await setup.reconcile(planned([2]));
  setup.fake.isMute = true;
  const told: string[] = [];
  const { kernel } = setup.fake.open({ clock: setup.clock, unseen: ({ message }) => told.push(message) });
  const seen = await kernel.dump({ links: [LINK], sysctls: [] });
  assert.ok(seen.some((object) => object.kind === "link" && object.name === LINK));
  assert.deepEqual(told, [`Cannot use ${LINK}: ETIMEDOUT`]);
});

Deno.test("wireguard kernel: a program that died took its device along, and is started anew; meanwhile packets go nowhere", async () => {
  const setup = new Setup({ native: false });
  await setup.reconcile(planned([2]));
  setup.fake.stack.delete(setup.fake.stack.link(LINK)!);
  await assert.rejects(setup.kernel.routeGet("10.5.2.1"), { errno: "EHOSTUNREACH" });
  const done = await setup.reconcile(planned([2]));
  // All but the barrier, which no device takes along.
  assert.deepEqual(done, planned([2]).slice(1).map((object) => `add ${keyOf(object)}`));
});

for (const native of [true, false]) {
  const whose = native ? "the kernel's" : "a program's";

  /** Stands where a maker was killed between making the device and giving it a name. */
  const unnamed: Link = {
    kind: "link",
    name: LINK,
    type: native ? "wireguard" : "tun",
    alias: "",
    mac: "",
    mtu: 1420,
    up: false,
  };
  const begun = () => {
    const setup = new Setup({ native });
    if (native) setup.fake.stack.add(unnamed);
    else setup.fake.start(LINK);
    return setup;
  };
  const claimOf = async (setup: Setup) => {
    const seen = await setup.kernel.dump({ links: [LINK], sysctls: [] });
    return claims(wireguardOwner, seen)(seen.find((one) => one.kind === "link" && one.name === LINK)!);
  };

  Deno.test(`wireguard kernel: ${whose} device whose maker was killed before it had a name is ours, and finished`, async () => {
    const setup = begun();
    assert.equal(await claimOf(setup), "ours");
    const [, ...rest] = await setup.reconcile(planned([2]));
    assert.equal(rest[0], `replace link ${LINK}`);
    assert.deepEqual(await setup.reconcile(planned([2])), []);
    assert.equal(setup.fake.device(LINK).publicKey, publicKey(1));
    assert.equal(setup.fake.programs.started, native ? 0 : 1);
  });

  Deno.test(`wireguard kernel: ${whose} device without a name that is up is somebody else's`, async () => {
    const setup = begun();
    setup.fake.stack.replace({ ...unnamed, up: true });
    assert.equal(await claimOf(setup), "foreign");
    const { conflicts } = await setup.reconciler.reconcile(planned([2]), { resync: true });
    assert.deepEqual(conflicts.map(({ code }) => code), ["foreign-link"]);
  });
}

Deno.test("wireguard kernel: a device without a name that has a key or a port, or no program of ours, is somebody else's", async () => {
  for (const change of [{ privateKey: privateKeyOf(7) }, { listenPort: 51820 }]) {
    const setup = new Setup();
    const theirs: Link = {
      kind: "link",
      name: LINK,
      type: "wireguard",
      alias: "",
      mac: "",
      mtu: 1420,
      up: false,
    };
    setup.fake.stack.add(theirs);
    await setup.fake.tell(LINK, change);
    const { conflicts, done } = await setup.reconciler.reconcile(planned([2]), { resync: true });
    assert.deepEqual(conflicts.map(({ code }) => code), ["foreign-link"]);
    assert.ok(!done.some(({ object }) => object.kind === "link"));
  }
  const setup = new Setup({ native: false });
  setup.fake.stack.add({
    kind: "link",
    name: LINK,
    type: "tun",
    alias: "",
    mac: "",
    mtu: 1420,
    up: false,
  });
  const { conflicts } = await setup.reconciler.reconcile(planned([2]), { resync: true });
  assert.deepEqual(conflicts.map(({ code, found }) => [code, found.kind === "link" && found.type]), [
    ["foreign-link", "tun"],
  ]);
});

Deno.test("wireguard kernel: a host needs the kernel's WireGuard, or a program and TUN devices", async () => {
  const native = new Setup();
  native.fake.programs.isInstalled = false;
  await native.kernel.require(["wireguard"]);
  const programmed = new FakeWireguard({ native: false });
  const { kernel, inner } = programmed.open();
  await kernel.require(["wireguard"]);
  inner.lacks.add("tun");
  await assert.rejects(kernel.require(["wireguard"]), { code: "unsupported" });
  await kernel.require(["vxlan"]);
  inner.lacks.clear();
  programmed.programs.isInstalled = false;
  await assert.rejects(kernel.require(["wireguard"]), { code: "unsupported", message: "no program" });
});
