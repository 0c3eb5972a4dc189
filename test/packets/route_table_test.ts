/** The route table: the longest prefix wins, whatever the routes and the order they come in. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { filler } from "./packets.ts";
import { linearFind, maskOf, type Place, places, type Route, type Settings, Table } from "./route_table.ts";

const EINVAL = 22, E2BIG = 7;

function tableAt(where: Place, routes: readonly Route[], settings?: Settings): Table {
  const made = Table.make(where, routes, settings);
  assert.ok(made instanceof Table, `errno ${made}`);
  return made;
}

function changed(from: Table, put: readonly Route[], removed: readonly Route[]): Table {
  const made = from.change(put, removed);
  assert.ok(made instanceof Table, `errno ${made}`);
  return made;
}

const route = (destination: number, length: number, remote = 1, port = 8285): Route => ({
  destination: (destination & maskOf(length)) >>> 0,
  length,
  remote,
  port,
});

/** Few distinct bits, so that prefixes often lie within one another. */
const address = fc.oneof(
  fc.nat(0xffffffff),
  fc.tuple(fc.constantFrom(0, 10, 255), fc.constantFrom(0, 244, 255), fc.nat(3), fc.nat(255)).map(
    ([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0,
  ),
);
const anyRoute = fc.tuple(address, fc.nat(32), fc.nat(0xffffffff), fc.integer({ min: 1, max: 65535 })).map((
  [destination, length, remote, port],
) => route(destination, length, remote, port));

/** Where an answer may change: both ends of every prefix, and the addresses beside them. */
const edges = (routes: readonly Route[]) =>
  routes.flatMap(({ destination, length }) => {
    const last = (destination | ~maskOf(length)) >>> 0;
    return [destination, last, (destination - 1) >>> 0, (last + 1) >>> 0];
  });

const sameAsLinear = (made: Table, routes: readonly Route[], addresses: readonly number[]) =>
  assert.deepEqual(made.find(addresses), addresses.map((one) => linearFind(routes, one)));

for (const where of places) {
  const name = where.family === 4 ? "IPv4" : `IPv6 from bit ${8 * where.at} on`;
  const test = (what: string, run: () => void) => Deno.test(`${what} (${name})`, run);
  const table = (routes: readonly Route[], settings?: Settings) => tableAt(where, routes, settings);

  test("routes: every look-up equals a linear longest match", () => {
    fc.assert(
      fc.property(
        fc.array(anyRoute, { maxLength: 60 }),
        fc.array(address, { maxLength: 40 }),
        (routes, more) => {
          using made = table(routes);
          sameAsLinear(made, routes, [...edges(routes), ...more]);
          assert.deepEqual(made.find(more, 0x5a), made.find(more));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("routes: a changed table is the one that would have been made of what is left and what is new", () => {
    const some = fc.array(anyRoute, { maxLength: 30 });
    fc.assert(
      fc.property(some, some, some, fc.nat(30), (before, put, other, taken) => {
        using old = table(before);
        const removed = [...before.slice(0, taken), ...other];
        using made = changed(old, put, removed);
        const is = (a: Route) => (b: Route) => a.destination === b.destination && a.length === b.length;
        const routes = [...before.filter((one) => !removed.some(is(one))), ...put];
        using expected = table(routes);
        assert.deepEqual(made.routes(), expected.routes());
        sameAsLinear(made, routes, edges([...before, ...routes]));
        sameAsLinear(old, before, edges(before));
      }),
      { numRuns: 500 },
    );
  });

  test("routes: of one prefix the last counts, in a new table and in a changed one", () => {
    const first = route(0x0a000000, 8, 1), second = route(0x0a000000, 8, 2), third = route(0x0a000000, 8, 3);
    using made = table([first, second]);
    assert.deepEqual(made.routes(), [second]);
    using next = changed(made, [third], []);
    assert.deepEqual(next.find([0x0a010203]), [[3, 8285]]);
    using last = changed(next, [first, second], [third]);
    assert.deepEqual(last.routes(), [second]);
  });

  test("routes: a removed one uncovers the shorter prefix, and removing what is not there is no error", () => {
    using made = table([route(0, 0, 1), route(0x0a000000, 8, 2), route(0x0a010203, 32, 3)]);
    using less = changed(made, [], [route(0x0a010203, 32), route(0x0b000000, 8)]);
    assert.deepEqual(less.find([0x0a010203, 0x0b000000]), [[2, 8285], [1, 8285]]);
    using none = changed(less, [], less.routes());
    assert.deepEqual([none.routes(), none.find([0, 0x0a010203])], [[], [undefined, undefined]]);
  });

  test("routes: every length has exactly its range", () => {
    for (let length = 0; length <= 32; length++) {
      const one = route(0xa5a5a5a5, length, 9);
      using made = table([one]);
      const wanted = edges([one]);
      sameAsLinear(made, [one], wanted);
      assert.deepEqual(made.find(wanted.slice(0, 2)), [[9, 8285], [9, 8285]]);
      if (length > 0) assert.deepEqual(made.find(wanted.slice(2)), [undefined, undefined]);
    }
  });

  test("routes: nonsense is refused, and leaves the old table as it was", () => {
    const tooLong = where.family === 6 ? 129 - 8 * where.at : 33;
    const hostBits = { ...route(0x0a000000, 8), destination: 0x0a000001 };
    for (
      const bad of [hostBits, { ...route(0, 0), length: tooLong }, {
        ...route(0, 0),
        length: 255 - 8 * where.at,
      }]
    ) {
      assert.equal(Table.make(where, [route(0, 0), bad]), EINVAL);
      using made = table([route(0x0a000000, 8, 5)]);
      assert.equal(made.change([bad], []), EINVAL);
      assert.equal(made.change([], [bad]), EINVAL);
      assert.deepEqual(made.find([0x0a000001]), [[5, 8285]]);
    }
    for (const subnet of [{ subnet: 0x0a000001, length: 24 }, { subnet: 0, length: tooLong }]) {
      assert.equal(Table.make(where, [], subnet), EINVAL);
    }
  });

  test("settings: a table owns its subnet and nothing beside it, and without settings nothing", () => {
    using made = table([], { subnet: 0x0af40100, length: 24 });
    const asked = [0x0af40100, 0x0af401ff, 0x0af400ff, 0x0af40200];
    assert.deepEqual(asked.map((one) => made.owns(one)), [true, true, false, false]);
    using next = changed(made, [route(0, 0)], []);
    assert.deepEqual(asked.map((one) => next.owns(one)), [true, true, false, false]);
    using bare = table([]);
    assert.deepEqual([0, 1, 0xffffffff].map((one) => bare.owns(one)), [false, false, false]);
    using all = table([], { subnet: 0, length: 0 });
    assert.deepEqual([0, 1, 0xffffffff].map((one) => all.owns(one)), [true, true, true]);
    using one = table([], { subnet: 0x0a000001, length: 32 });
    assert.deepEqual([0x0a000000, 0x0a000001, 0x0a000002].map((at) => one.owns(at)), [false, true, false]);
  });
}

/** As many different subnets of /24 as are asked for, and some longer ones within them. */
function manyRoutes(count: number): Route[] {
  const seeds = new DataView(filler(4 * count).buffer);
  return Array.from({ length: count }, (_, i) => {
    const random = seeds.getUint32(4 * i);
    return i % 10 === 9
      ? route(0x0a000000 | (i * 256 - 256 + random % 256), 25 + random % 8, random, 1 + i % 65535)
      : route(0x0a000000 + i * 256, 24, random, 1 + i % 65535);
  });
}

const ends = [places[0]!, places[2]!];

const sizes = [[10_000, ends[0]!], [100_000, ends[0]!], [10_000, ends[1]!]] as const;

for (const [count, where] of sizes) {
  Deno.test(`routes: ${count} of IPv${where.family} are found, and one of them can be exchanged`, () => {
    const routes = manyRoutes(count);
    using made = tableAt(where, routes);
    const asked = routes.filter((_, i) => i % (count / 500) < 1).flatMap((one) => edges([one]));
    sameAsLinear(made, routes, asked);
    const moved = { ...routes[77]!, remote: 7 };
    using next = changed(made, [moved], [routes[78]!]);
    const left = [...routes.filter((one) => one !== routes[78]), moved];
    sameAsLinear(next, left, edges(routes.slice(70, 90)));
  });
}

for (const where of ends) {
  Deno.test(`routes: 1,048,576 of IPv${where.family} are taken, one more is not, and of a full table every route can still be exchanged`, () =>
    fill(where));
}

function fill(where: Place): void {
  const most = 1 << 20;
  // /28 side by side, so that the nodes stay few.
  const routes = Array.from({ length: most }, (_, i) => route(i * 16, 28, i + 1));
  using made = tableAt(where, routes);
  assert.deepEqual(made.find([0, 16 * most - 1]), [[1, 8285], [most, 8285]]);
  assert.equal(Table.make(where, [...routes, route(0xf0000000, 8)]), E2BIG);
  assert.equal(made.change([route(0xf0000000, 8)], []), E2BIG);
  using next = changed(made, [route(0, 28, 5)], []);
  assert.deepEqual(next.find([0]), [[5, 8285]]);
  using other = changed(made, [route(0xf0000000, 8, 6)], [route(0, 28)]);
  assert.deepEqual(other.find([0, 0xf0000001]), [undefined, [6, 8285]]);
}
