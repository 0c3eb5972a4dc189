/** What flan made, as `ip` and `bridge` see it, and what they made, as flan sees it. */
import assert from "node:assert/strict";
import {
  add,
  address,
  DEVICE,
  device,
  fdb,
  neighbour,
  nexthop,
  onDevice,
  plainRoute,
  present,
  route,
  succeed,
  unreachable,
} from "../conformance/kernel_objects.ts";
import { ip, run, shown, withSystem } from "./system.ts";

/** The properties of `object` that are named. */
const pick = (object: Record<string, unknown> | undefined, ...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, object?.[name]]));

Deno.test("kernel view: a VXLAN device has every property that was asked for", () =>
  withSystem(async (system, kernel) => {
    const link = device(system);
    await succeed(kernel, add({ ...link, vxlan: { ...link.vxlan!, gbp: true } }));
    const [seen] = await shown("ip", `-d link show ${DEVICE}`);
    assert.deepEqual(pick(seen, "ifname", "mtu", "address", "ifalias", "inet6_addr_gen_mode"), {
      ifname: DEVICE,
      mtu: 1450,
      address: "02:00:00:00:00:07",
      ifalias: "flan vxlan",
      inet6_addr_gen_mode: "none",
    });
    assert.ok((seen!.flags as string[]).includes("UP"));
    const { info_kind, info_data } = seen!.linkinfo as Record<string, Record<string, unknown>>;
    assert.equal(info_kind, "vxlan");
    assert.deepEqual(pick(info_data, "id", "link", "local", "port", "learning", "udp_csum", "ttl", "gbp"), {
      id: 7,
      link: "under0",
      local: "192.0.2.1",
      port: 8472,
      learning: false,
      udp_csum: false,
      ttl: 0,
      gbp: true,
    });
    const addresses = (await shown("ip", `-6 address show dev ${DEVICE}`)).flatMap((link) =>
      link.addr_info ?? []
    );
    assert.deepEqual(addresses, []);
  }));

Deno.test("kernel view: routes, nexthops, neighbours and FDB entries are what ip and bridge show", () =>
  withSystem(async (system, kernel) => {
    const deviceRoute = { ...plainRoute, destination: "10.5.4.0/24", gateway: "", onlink: false, metric: 9 };
    await succeed(kernel, add(device(system)), ...[...onDevice, unreachable, deviceRoute].map(add));
    const routes = new Map((await shown("ip", "-d route")).map((seen) => [seen.dst, seen]));
    const names = ["type", "gateway", "dev", "protocol", "scope", "metric", "nhid", "flags"];
    const common = { dev: DEVICE, protocol: "113", type: "unicast" };
    const via = { ...common, scope: "global", metric: undefined, flags: ["onlink"] };
    assert.deepEqual(pick(routes.get("10.5.2.0/24"), ...names), { ...via, gateway: "10.5.2.0", nhid: 7001 });
    assert.deepEqual(pick(routes.get("10.5.3.0/24"), ...names), {
      ...via,
      gateway: "10.5.3.0",
      nhid: undefined,
    });
    assert.deepEqual(pick(routes.get("10.5.4.0/24"), ...names), {
      ...common,
      gateway: undefined,
      scope: "link",
      metric: 9,
      nhid: undefined,
      flags: [],
    });
    assert.deepEqual(pick(routes.get("10.5.0.0/16"), "type", "metric", "dev"), {
      type: "unreachable",
      metric: 4294967295,
      dev: undefined,
    });
    assert.deepEqual(await shown("ip", "nexthop"), [{
      id: 7001,
      gateway: "10.5.2.0",
      dev: DEVICE,
      scope: "link",
      protocol: "113",
      flags: ["onlink"],
    }]);
    const [entry] = await shown("ip", `neigh show dev ${DEVICE} nud permanent`);
    assert.deepEqual(pick(entry, "dst", "lladdr", "protocol", "state"), {
      dst: "10.5.2.0",
      lladdr: "02:00:00:00:00:02",
      protocol: "113",
      state: ["PERMANENT"],
    });
    const entries = await shown("bridge", `fdb show dev ${DEVICE}`);
    assert.deepEqual(pick(entries[0], "mac", "dst", "flags", "state"), {
      mac: fdb.mac,
      dst: fdb.remote,
      flags: ["self"],
      state: "permanent",
    });
  }));

Deno.test("kernel view: what other programs made is read as it is", () =>
  withSystem(async (_system, kernel) => {
    await ip("link add foreign0 type vxlan id 99 dstport 4789 local 192.0.2.1 learning");
    await ip("link set foreign0 up alias theirs");
    await ip("address add 198.51.100.1/24 dev foreign0");
    await ip("address add fd00:7::1/64 dev foreign0 nodad");
    await ip("route add default via 198.51.100.254 proto static metric 7");
    await ip("route add 203.0.113.0/24 nexthop via 198.51.100.2 nexthop via 198.51.100.3");
    await ip("route add blackhole 203.0.114.0/24");
    await ip("route add 203.0.115.0/24 dev foreign0 table 77");
    await ip("route add fd00:8::/64 via fd00:7::9");
    await ip("nexthop add id 5 blackhole");
    await ip("neigh add 198.51.100.9 lladdr 02:00:00:00:00:99 dev foreign0 nud stale");
    await run("bridge", ..."fdb append 00:00:00:00:00:00 dev foreign0 dst 192.0.2.9".split(" "));
    const seen = await kernel.dump({ links: ["foreign0"], sysctls: [] });
    const link = seen.find((object) => object.kind === "link" && object.name === "foreign0");
    assert.deepEqual(link?.kind === "link" && [link.type, link.alias, link.vxlan], ["vxlan", "theirs", {
      vni: 99,
      port: 4789,
      local: "192.0.2.1",
      parent: "",
      learning: true,
      gbp: false,
    }]);
    const common = { kind: "route" as const, onlink: false, nexthop: 0, type: "unicast", protocol: 3 };
    const expected = [
      { kind: "address", link: "foreign0", address: "198.51.100.1/24" },
      { kind: "address", link: "foreign0", address: "fd00:7::1/64" },
      {
        ...common,
        destination: "0.0.0.0/0",
        metric: 7,
        link: "foreign0",
        gateway: "198.51.100.254",
        protocol: 4,
      },
      { ...common, destination: "203.0.113.0/24", metric: 0, link: "", gateway: "" },
      { ...common, destination: "203.0.114.0/24", metric: 0, link: "", gateway: "", type: "blackhole" },
      { ...common, destination: "fd00:8::/64", metric: 1024, link: "foreign0", gateway: "fd00:7::9" },
      { kind: "nexthop", id: 5, gateway: "", link: "", onlink: false, protocol: 0 },
      {
        kind: "neighbour",
        link: "foreign0",
        ip: "198.51.100.9",
        mac: "02:00:00:00:00:99",
        state: "stale",
        protocol: 0,
      },
      { kind: "fdb", link: "foreign0", mac: "00:00:00:00:00:00", remote: "192.0.2.9" },
    ];
    for (const object of expected) {
      const found = seen.filter((candidate) => JSON.stringify(candidate).includes(keyText(object)));
      assert.ok(
        found.some((candidate) => equal(candidate, object)),
        `${JSON.stringify(object)} is not among ${JSON.stringify(found)}`,
      );
    }
    assert.equal(
      seen.some((object) => object.kind === "route" && object.destination === "203.0.115.0/24"),
      false,
    );
  }));

Deno.test("kernel view: IPv6 objects are made and read like IPv4's", () =>
  withSystem(async (system, kernel) => {
    const six = [
      { ...address, address: "fd00:5:1::/128" },
      { ...nexthop, id: 7006, gateway: "fd00:5:2::" },
      { ...neighbour, ip: "fd00:5:2::" },
      { ...route, destination: "fd00:5:2::/64", metric: 100, gateway: "fd00:5:2::", nexthop: 7006 },
      { ...plainRoute, destination: "fd00:5:3::/64", metric: 100, gateway: "fd00:5:3::" },
    ];
    await succeed(kernel, add(device(system)), ...six.map(add));
    await present(kernel, ...six);
  }));

const keyText = (object: Record<string, unknown>) =>
  JSON.stringify(object.destination ?? object.address ?? object.id ?? object.ip ?? object.mac);

function equal(actual: unknown, expected: unknown): boolean {
  try {
    assert.deepEqual(actual, expected);
    return true;
  } catch {
    return false;
  }
}

Deno.test("kernel view: an administrator's route for one type of service stands beside ours", () =>
  withSystem(async (system, kernel) => {
    await succeed(kernel, add(device(system)), add(address), add(nexthop));
    await ip(`route add ${route.destination} tos 0x10 dev ${DEVICE}`);
    const routes = (await kernel.dump({ links: [], sysctls: [] })).filter((o) => o.kind === "route");
    assert.deepEqual(routes.filter(({ destination }) => destination === route.destination), []);
    await succeed(kernel, add(route));
  }));

Deno.test("kernel view: another device with our VNI is said to be looked for, with the command that shows it", () =>
  withSystem(async (system, kernel) => {
    const link = device(system);
    await ip(
      `link add theirs type vxlan id ${link.vxlan!.vni} dstport ${link.vxlan!.port} dev ${
        link.vxlan!.parent
      }`,
    );
    const [failure] = await kernel.apply([add(link)]);
    assert.equal(failure?.error.errno, "EEXIST");
    assert.match(failure!.error.hint ?? "", /^ip -d link show type vxlan shows which device has VNI 7;/);
  }));
