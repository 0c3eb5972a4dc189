/** `flan lease gc`: forgets leases that ended long ago, and removes records that stay for ever and that nobody can read. */
import { type Garbage, garbageIn } from "../lease/check.ts";
import { isConflict } from "../lease/conflict.ts";
import type { Store } from "../lease/store.ts";
import { invalid, messageOf } from "../net/errors.ts";
import { quoted } from "../net/text.ts";
import { readNetwork, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { type Column, printList } from "./output.ts";
import { duration } from "./setting_types.ts";

const columns: readonly Column<Garbage>[] = [
  { name: "SUBNET", cell: ({ subnet }) => subnet },
  { name: "REASON", cell: ({ code }) => code },
  { name: "WHY", cell: ({ reason }) => reason },
];

export async function collectGarbage({ context, format, header, flags }: Call): Promise<number> {
  const before = context.clock.now() - olderThan(String(flags["older"] ?? "7d")) * 1000;
  const dryRun = flags["dryRun"] === true;
  const [removes, forgets] = [!dryRun && flags["yes"] === true, !dryRun];
  const { items, forgotten } = await withStore(context, async (store) => {
    const { snapshot, config } = await readNetwork(store);
    const found = garbageIn({ snapshot, network: config });
    const items = removes ? await removed(store, found) : found;
    if (forgets) return { items, forgotten: await store.forget(before) };
    const past = snapshot.past.filter(({ ended, stays }) => stays !== true && ended < before);
    return { items, forgotten: past.length };
  });
  const verbs = [removes ? "removed" : "would remove", forgets ? "forgot" : "would forget"];
  printList(format, {
    schema: "lease-gc",
    items,
    columns,
    tsv: columns,
    json: ({ subnet, code, reason }) => ({ subnet, code, reason }),
    empty: "every record that stays can be read",
    extra: { dryRun, removed: removes, forgotten },
  }, header);
  console.error(
    `flan: ${verbs[0]} ${counted(items.length, "record")}, ${verbs[1]} ${counted(forgotten, "past lease")}`,
  );
  if (items.length > 0 && !removes && !dryRun) console.error("flan: Add --yes to remove what is listed");
  return exit.done;
}

/** Removes them, but for those that somebody changes meanwhile. */
async function removed(store: Store, garbage: readonly Garbage[]): Promise<Garbage[]> {
  const gone: Garbage[] = [];
  for (const one of garbage) {
    try {
      await store.remove(one.key, one.revision);
      gone.push(one);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
  return gone;
}

function olderThan(text: string): number {
  try {
    return duration(0)(text);
  } catch (error) {
    throw invalid("cli", `Cannot use --older ${quoted(text)}: ${messageOf(error)}`);
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
