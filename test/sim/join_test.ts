/** Many that join at once, and one that is interrupted at every step of it. */
import assert from "node:assert/strict";
import { network, PREFIX, TTL } from "./setting.ts";
import { World } from "./world.ts";

/** A world in which `hosts` agents start at once on a network with so many subnets. */
async function crowd({ hosts, subnets }: { hosts: number; subnets: number }): Promise<World> {
  const world = new World({ seed: 1, config: { ...network, SubnetMax: `10.5.${subnets}.0` } });
  for (let n = 1; n <= hosts; n++) world.host(n);
  await world.start();
  await world.pass(30_000);
  return world;
}

function subnetsIn({ admin }: World): string[] {
  return admin.list("subnets/").map(({ key }) => key.slice(`${PREFIX}/subnets/`.length));
}

Deno.test("50 agents that start at once on a network with 64 subnets get 50 different leases", async () => {
  using world = await crowd({ hosts: 50, subnets: 64 });
  const subnets = world.hosts.map(({ subnet }) => subnet);
  assert.equal(new Set(subnets).size, 50);
  assert.ok(subnets.every((subnet) => subnet !== undefined));
  assert.equal(subnetsIn(world).length, 50);
  assert.equal(world.etcd.leases.size, 50, "nothing granted in vain is left");
});

Deno.test("50 agents that start at once on a network with 40 subnets: 40 get one, 10 say why not and install nothing", async () => {
  using world = await crowd({ hosts: 50, subnets: 40 });
  const [inside, outside] = [
    world.hosts.filter(({ subnet }) => subnet !== undefined),
    world.hosts.filter(({ subnet }) => subnet === undefined),
  ];
  assert.deepEqual([inside.length, outside.length], [40, 10]);
  assert.equal(new Set(inside.map(({ subnet }) => subnet)).size, 40);
  for (const host of outside) {
    assert.deepEqual([...host.refusals.keys()], ["out-of-subnets"]);
    assert.equal(host.stack.link("flan.1"), undefined);
  }
  assert.equal(subnetsIn(world).length, 40);
  assert.equal(world.etcd.leases.size, 40, "nothing granted in vain is left");
});

for (const effect of ["before", "after"] as const) {
  Deno.test(`a join that crashes at any of its calls, ${effect} that took effect, leaves no second subnet`, async () => {
    const calls = await callsOfJoin();
    for (let at = 1; at <= calls; at++) {
      using world = new World({ seed: at });
      const host = world.host(1);
      host.start();
      const { link } = host.life!;
      link.failing = { at, effect };
      link.failed = () => host.kill();
      await world.pass(5000);
      host.start();
      await world.pass(5000);
      assert.ok(host.subnet !== undefined, `call ${at}`);
      assert.equal(subnetsIn(world).length, 1, `call ${at}`);
      await world.pass(TTL * 1000 + 2000);
      assert.equal(world.etcd.leases.size, 1, `call ${at}: what was granted in vain is over`);
    }
    assert.ok(calls >= 4, `${calls} calls`);
  });
}

/** How many calls a join makes that nothing disturbs. */
async function callsOfJoin(): Promise<number> {
  using world = new World({ seed: 1 });
  const host = world.host(1);
  host.start();
  await world.pass(500);
  assert.ok(host.subnet !== undefined);
  return host.life!.link.calls;
}
