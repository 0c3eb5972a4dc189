/** What befalls the hosts, their ways to etcd and etcd itself. Each fault begins, is told, and ends by itself. */
import { leaseKey } from "../../lease/key.ts";
import { keyOf } from "../../kernel/state.ts";
import type { SimHost } from "./host.ts";
import { PREFIX, TTL } from "./setting.ts";
import type { World } from "./world.ts";

type Fault = (world: World) => void;

const LONG_MS = TTL * 1000;

function running(world: World): SimHost[] {
  return world.hosts.filter(({ agent }) => agent !== undefined);
}

/** Runs `work` for one of the hosts that have joined, if there is one. */
function forOne(work: (host: SimHost, world: World) => void): Fault {
  return (world) => {
    const hosts = running(world);
    if (hosts.length > 0) work(world.pick(hosts), world);
  };
}

/** Runs `work` for one, some or all hosts. */
function forSome(work: (hosts: readonly SimHost[], world: World) => void): Fault {
  return (world) => {
    const count = world.pick([1, 1, 2, world.hosts.length]);
    const from = world.chance.random(world.hosts.length);
    const hosts = [...world.hosts, ...world.hosts].slice(from, from + count);
    work([...new Set(hosts)], world);
  };
}

function names(hosts: readonly SimHost[]): string {
  return hosts.map(({ n }) => `host ${n}`).join(", ");
}

/** Gone without a word; its kernel stays, or the machine boots, and sometimes the disk is a new one. */
const crash: Fault = (world) => {
  const host = world.pick(world.hosts);
  const how = world.pick(["crashes", "crashes", "crashes", "boots", "gets a new disk"] as const);
  const away = world.pick([0, 1000, 20_000, LONG_MS + 5000, 3 * LONG_MS]);
  world.tell(`${host.name} ${how}, and starts ${away / 1000} s later`);
  host.wanted = false;
  host.kill();
  if (how !== "crashes") host.boot();
  if (how === "gets a new disk") world.disk.wipe(host.dir);
  world.later(away, () => {
    host.wanted = true;
    host.start();
  });
};

const freeze = forOne((host, world) => {
  const time = world.pick([1000, 20_000, LONG_MS + 5000, 3 * LONG_MS]);
  world.tell(`${host.name} is frozen for ${time / 1000} s`);
  const { gate } = host.life!;
  gate.shut();
  // A process that was killed meanwhile stays shut.
  world.later(time, () => host.life?.gate === gate && gate.open());
});

const cutOff = forSome((some, world) => {
  const hosts = some.filter(({ reach }) => reach === "well");
  const reach = world.pick(["away", "black-hole"] as const);
  const time = world.pick([200, 8000, 35_000, LONG_MS + 10_000, 3 * LONG_MS]);
  world.tell(`etcd is ${reach} for ${names(hosts)} for ${time / 1000} s`);
  for (const host of hosts) host.reach = reach;
  world.later(time, () => {
    for (const host of hosts) host.reach = "well";
  });
});

const lostReplies = forSome((hosts, world) => {
  const count = 1 + world.chance.random(4);
  const repeats = world.chance.random(2) === 0;
  world.tell(`${count} replies are lost for ${names(hosts)}${repeats ? ", and the calls repeated" : ""}`);
  for (const { life } of hosts) {
    if (life === undefined) continue;
    life.gateway.lostReplies = count;
    life.gateway.repeats = repeats;
  }
});

const oddEvents = forSome((hosts, world) => {
  const odd = world.pick(["duplicates", "reorders"] as const);
  world.tell(`events come in ${odd} for ${names(hosts)}`);
  for (const { life } of hosts) {
    if (life === undefined) continue;
    life.gateway[odd] = true;
    world.later(world.pick([5000, 30_000]), () => {
      life.gateway[odd] = false;
      // What is still held back is lost with its stream.
      life.gateway.breakStreams();
    });
  }
});

const cutStreams = forSome((hosts, world) => {
  const how = world.pick(["endStreams", "breakStreams"] as const);
  world.tell(`${how} for ${names(hosts)}`);
  for (const { life } of hosts) life?.gateway[how]();
});

const compact: Fault = (world) => {
  const { keys } = world.etcd;
  if (keys.compacted >= keys.revision) return;
  world.tell(`etcd is compacted at ${keys.revision}`);
  world.etcd.compact();
};

/** A watch that comes back finds its revision gone. */
const compactMeanwhile = forOne((host, world) => {
  if (host.reach !== "well") return;
  world.tell(`etcd is compacted while ${host.name} is away`);
  host.reach = "away";
  world.later(12_000, () => compact(world));
  world.later(14_000, () => host.reach = "well");
});

const jump = forOne((host, world) => {
  const by = world.pick([-31_536_000, -3600, -90, -5, 5, 90, 3600, 31_536_000]);
  world.tell(`the clock of ${host.name} is set by ${by} s`);
  host.wall.offset += by * 1000;
});

const restartEtcd: Fault = (world) => {
  world.tell("etcd is restarted");
  world.etcd.restart();
};

const stall: Fault = (world) => {
  if (world.stall.stalled) return;
  const time = world.pick([2000, 12_000, LONG_MS + 5000]);
  world.tell(`etcd stands still for ${time / 1000} s`);
  world.stall.shut();
  world.later(time, () => world.stall.open());
};

const backup: Fault = (world) => {
  world.tell(`a backup is made at revision ${world.etcd.keys.revision}`);
  world.backups.push(world.etcd.snapshot());
};

const restore: Fault = (world) => {
  if (world.backups.length === 0) return backup(world);
  const found = world.pick(world.backups);
  const clusterId = world.chance.random(2) === 0 ? undefined : String(1 + world.chance.random(2 ** 31));
  const as = clusterId === undefined ? "the same cluster" : `cluster ${clusterId}`;
  world.tell(`the backup of revision ${found.keys.revision} is restored as ${as}`);
  world.etcd.restore(found, clusterId === undefined ? {} : { clusterId });
};

const full: Fault = (world) => {
  const time = world.pick([5000, LONG_MS + 5000]);
  world.tell(`etcd is full for ${time / 1000} s`);
  world.etcd.full = true;
  world.later(time, () => world.etcd.full = false);
};

const ownLease = (what: string, work: (world: World, own: { host: SimHost; key: string }) => void) =>
  forOne((host, world) => {
    if (host.subnet === undefined) return;
    const key = leaseKey({ subnet: host.subnet });
    if (world.etcd.keys.get(`${PREFIX}/subnets/${key}`) === undefined) return;
    world.tell(`an administrator ${what} ${key} of ${host.name}`);
    work(world, { host, key });
  });

const deleteLease = ownLease("deletes", ({ admin }, { key }) => admin.delete(`${PREFIX}/subnets/${key}`));

/** It is taken again at once, and whether a call on the way to that was done is not told. */
const deleteUnanswered = ownLease("deletes, before a reply is lost,", (world, { host, key }) => {
  world.admin.delete(`${PREFIX}/subnets/${key}`);
  const { link } = host.life!;
  link.failing = { at: link.calls + 1 + world.chance.random(6), effect: "after" };
});

/** The lease is given back, by a host that comes again later. */
const leave = forOne((host, world) => {
  const away = world.pick([1000, 20_000]);
  world.tell(`${host.name} leaves, and comes back ${away / 1000} s later`);
  host.wanted = false;
  host.leave();
  world.later(away, () => {
    host.wanted = true;
    host.start();
  });
});

/** Once a run: who is overwritten more often waits longer each time before it takes its lease back. */
const deleteWord = ownLease("deletes flan's word on", (world, { key }) => {
  if (!world.wordless) world.admin.delete(`${PREFIX}/flan/leases/${key}`);
  world.wordless = true;
});

const revokeLease = ownLease("revokes the etcd lease of", ({ admin, etcd }, { key }) => {
  const { lease } = etcd.keys.get(`${PREFIX}/subnets/${key}`)!;
  if (etcd.leases.has(lease)) admin.revoke(lease);
});

/** Another host's, as after a mistake of an administrator or of a flanneld that renews too late. */
const giveAway = ownLease("gives a flannel host", ({ admin }, { key }) => {
  admin.flannel(key);
});

const rewrite = ownLease("writes nonsense into", (world, { key }) => {
  const { lease } = world.etcd.keys.get(`${PREFIX}/subnets/${key}`)!;
  world.admin.putText(`subnets/${key}`, world.pick(["", "{", '{"PublicIP":7}', "null"]), lease);
});

/** Without flan's word, as a flannel host does: see {@link deleteWord}. */
const touch = ownLease("writes once more what stands in", (world, { key }) => {
  const { lease, wire } = world.etcd.keys.get(`${PREFIX}/subnets/${key}`)!;
  if (world.wordless) return;
  world.wordless = true;
  world.admin.putText(`subnets/${key}`, atob(String(wire.value ?? "")), lease);
});

const deleteAll: Fault = (world) => {
  const below = world.pick(world.wordless ? ["subnets/"] : ["subnets/", "flan/", "subnets/", ""]);
  world.wordless ||= below !== "subnets/";
  world.tell(`an administrator deletes everything below ${PREFIX}/${below}`);
  const config = world.admin.list("config")[0];
  for (const { key } of world.admin.list(below === "" ? "flan/" : below)) world.admin.delete(key);
  if (below !== "" || config === undefined) return;
  world.admin.delete(config.key);
  world.later(world.pick([3000, 40_000]), () => world.admin.putText("config", config.value));
};

const junk: Fault = (world) => {
  const key = world.pick([
    "subnets/nonsense",
    "subnets-old/1",
    "subnets/10.5.7.0-33",
    "flan/leases/x",
    "flan/x",
  ]);
  world.tell(`an administrator writes ${key}`);
  world.admin.putText(key, world.pick(["{}", "", "\u00ff"]));
  world.later(20_000, () => world.admin.delete(`${PREFIX}/${key}`));
};

const reserve: Fault = (world) => {
  const key = `10.5.${1 + world.chance.random(world.isFull ? world.hosts.length : 12)}.0-24`;
  if (world.etcd.keys.get(`${PREFIX}/subnets/${key}`) !== undefined) return;
  world.tell(`an administrator reserves ${key}`);
  world.admin.reserve(key);
  world.later(world.pick([10_000, 50_000]), () => world.admin.withdraw(key));
};

/** A flanneld takes a free subnet, and goes again. */
const flannel: Fault = (world) => {
  const key = `10.5.${1 + world.chance.random(world.isFull ? world.hosts.length : 20)}.0-24`;
  if (world.etcd.keys.get(`${PREFIX}/subnets/${key}`) !== undefined) return;
  world.tell(`a flannel host takes ${key}`);
  world.admin.flannel(key);
  world.later(world.pick([10_000, 100_000]), () => world.admin.withdraw(key));
};

/** Somebody deletes one of flan's objects. */
const damage = forOne((host, world) => {
  const { objects } = host.agent!.state.plan;
  if (objects.length === 0) return;
  const object = world.pick(objects);
  world.tell(`${host.name}: ${keyOf(object)} is deleted`);
  host.stack.delete(object, world.pick([0, 4_000_000_000]));
});

const lostEvents = forOne((host, world) => {
  world.tell(`${host.name}: objects and events are lost`);
  for (const object of host.agent!.state.plan.objects) {
    if (world.chance.random(3) === 0) host.stack.objects.delete(keyOf(object));
  }
  host.stack.overrun();
});

const deviceDown = forOne((host, world) => {
  const { backend, config } = host.agent!.state;
  const link = host.stack.link(backend.devices(config)[0] ?? "");
  if (link === undefined) return;
  world.tell(`${host.name}: the device goes down`);
  host.stack.replace({ ...link, up: false });
});

/** Only the proxy: its device, its address and the kernel's route stay as they are. */
const proxyTrouble = forOne((host, world) => {
  const proxy = host.stack.objects.get("proxy flan0");
  if (proxy === undefined) return;
  const how = world.pick(["ends", "carries nothing any more", "ends, and its port is taken"] as const);
  world.tell(`${host.name}: the proxy ${how}`);
  const taken = { kind: "proxy", times: 1 + world.chance.random(9) } as const;
  if (how === "carries nothing any more") host.stack.failProxy("flan0");
  else host.stack.delete(proxy);
  if (how === "ends, and its port is taken") host.life!.kernel.failNext("add", "EADDRINUSE", taken);
});

/** What another backend than the one of now may need. A process that comes again finds it. */
const lacking = forOne((host, world) => {
  const feature = world.pick(["tun", "proxy"] as const);
  const time = world.pick([5000, 50_000]);
  world.tell(`${host.name} has no ${feature} for ${time / 1000} s`);
  const { kernel } = host.life!;
  kernel.lacks.add(feature);
  world.later(time, () => kernel.lacks.delete(feature));
});

const refusal = forOne((host, world) => {
  const verb = world.pick(["add", "delete", "replace", "dump", "apply"] as const);
  const errno = world.pick(["EBUSY", "ENOBUFS", "EINTR"]);
  const times = 1 + world.chance.random(5);
  world.tell(`${host.name}: the kernel refuses ${verb} ${times} times (${errno})`);
  host.life!.kernel.failNext(verb, errno, { times });
});

const configure: Fault = (world) => {
  const change = world.pick<{ [key: string]: string | number | { [key: string]: string | number } }>([
    { SubnetMax: "10.5.200.0" },
    { SubnetMin: "10.5.3.0" },
    { Backend: { Type: "vxlan", VNI: 7 } },
    { Backend: { Type: "udp", Port: 9000 } },
    { Backend: { Type: world.backend === "udp" ? "vxlan" : "udp" } },
    { Network: "10.6.0.0/16", SubnetMin: "10.6.1.0", SubnetMax: "10.6.250.0" },
    { Network: "nonsense" },
  ]);
  world.tell(`the network config becomes ${JSON.stringify(change)} for a while`);
  world.admin.put("config", { ...world.config, ...change });
  world.later(world.pick([15_000, 40_000]), () => world.admin.put("config", world.config));
};

const all: readonly (readonly [number, Fault])[] = [
  [5, crash],
  [4, freeze],
  [5, cutOff],
  [4, lostReplies],
  [2, oddEvents],
  [2, cutStreams],
  [2, compact],
  [2, compactMeanwhile],
  [3, jump],
  [2, restartEtcd],
  [2, stall],
  [2, backup],
  [2, restore],
  [1, full],
  [2, deleteLease],
  [2, deleteUnanswered],
  [2, leave],
  [1, deleteWord],
  [2, revokeLease],
  [2, giveAway],
  [1, rewrite],
  [1, touch],
  [1, deleteAll],
  [1, junk],
  [1, reserve],
  [2, flannel],
  [2, damage],
  [1, lostEvents],
  [1, deviceDown],
  [2, proxyTrouble],
  [1, lacking],
  [2, refusal],
  [2, configure],
];
const bag: readonly Fault[] = all.flatMap(([weight, fault]) => Array<Fault>(weight).fill(fault));

/** Lets one thing happen. */
export function befall(world: World): void {
  world.pick(bag)(world);
}
