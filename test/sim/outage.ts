/** The store alone is away, for a moment or for longer than any lease lives, and packets go on. */
import { keyOf, type ObjectKind } from "../../kernel/state.ts";
import { SETTLE_MS } from "./quiet.ts";
import { TTL } from "./setting.ts";
import type { World } from "./world.ts";

/** Without these no packet goes. */
const carrying: ReadonlySet<ObjectKind> = new Set(["link", "address", "proxy", "proxy-route", "route"]);

type Away = (world: World) => () => void;

const kinds: Readonly<Record<string, Away>> = {
  "nobody reaches it": (world) => reach(world, "away"),
  "it swallows everything": (world) => reach(world, "black-hole"),
  "it stands still": ({ stall }) => {
    stall.shut();
    return () => stall.open();
  },
  "it is restarted": ({ etcd }) => {
    etcd.restart();
    return () => etcd.restart();
  },
  "it is compacted meanwhile": (world) => {
    const back = reach(world, "away");
    return () => {
      if (world.etcd.keys.compacted < world.etcd.keys.revision) world.etcd.compact();
      back();
    };
  },
};

/** Takes the store away from all hosts at once; no route between them may go for it. */
export async function outage(world: World): Promise<void> {
  const { hosts, invariants } = world;
  const [kind, begin] = world.pick(Object.entries(kinds));
  // Who waits for a subnet takes the first that has expired; where there is none left, no lease may end.
  const time = world.isFull ? 10_000 : world.pick([1000, 30_000, TTL * 1000 + 20_000, TTL * 3000]);
  world.tell(`etcd is away for ${time / 1000} s: ${kind}`);
  for (const host of hosts) {
    const routes = host.agent?.state.plan.objects.filter(({ kind }) => carrying.has(kind)) ?? [];
    invariants.flowing.set(host, new Set(routes.map(keyOf)));
  }
  const end = begin(world);
  await world.pass(time);
  end();
  world.tell("etcd is back");
  await world.pass(SETTLE_MS);
  invariants.checkQuiet();
}

function reach({ hosts }: World, how: "away" | "black-hole"): () => void {
  for (const host of hosts) host.reach = how;
  return () => {
    for (const host of hosts) host.reach = "well";
  };
}
