/** The end of all faults. */
import { PREFIX, TTL } from "./setting.ts";
import type { World } from "./world.ts";

/** Longer than any back-off in flan, a lease's life, and the time for which an expired peer stays. */
export const SETTLE_MS = TTL * 1000 + 90_000;

/** Lets everything work again, and takes away what nobody but its writer may take away. */
export function heal(world: World): void {
  const { admin, etcd, stall, hosts, config } = world;
  world.tell("all is well from now on");
  world.epoch++;
  etcd.full = false;
  stall.open();
  for (const { key } of admin.list("flan/")) {
    if (!key.startsWith(`${PREFIX}/flan/leases/10.`)) admin.delete(key);
  }
  for (const { key, lease, value } of admin.list("subnets")) {
    const name = key.slice(`${PREFIX}/subnets/`.length);
    const isJunk = !/^10\.5\.\d+\.0-24$/.test(name) || !value.includes('"PublicIP":"');
    if (isJunk || lease === "0" && admin.isTheirs(name)) admin.delete(key);
  }
  admin.put("config", config);
  for (const host of hosts) {
    host.reach = "well";
    host.wanted = true;
    host.start();
    const { gate, gateway, kernel } = host.life!;
    gate.open();
    kernel.heal();
    kernel.lacks.clear();
    gateway.lostReplies = 0;
    // What is still held back would never come otherwise; any other stream must go on by itself.
    if (gateway.duplicates || gateway.reorders) gateway.breakStreams();
    gateway.duplicates = gateway.reorders = false;
  }
}
