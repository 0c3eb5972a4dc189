/** A file store for the tests of damage: its document is exchanged for one of `fixtures/leases/torn`. */
import { FileStore } from "../../lease/file/file_store.ts";
import type { Fields, Level, Logger } from "../../net/log.ts";
import { FakeClock } from "./fake_clock.ts";

const fixtures = new URL("../../fixtures/leases/", import.meta.url);

/** The names of the damaged documents. */
export const torn = [...Deno.readDirSync(new URL("torn/", fixtures))].map(({ name }) => name).sort();
export const config = { Network: "10.5.0.0/16" };

export class Log implements Logger {
  readonly lines: { level: Level; message: string; fields: Fields | undefined }[] = [];
  log(level: Level, message: string, fields?: Fields): void {
    this.lines.push({ level, message, fields });
  }
}

/** A file store in a directory of its own, and ways to do it harm. */
export interface StoreBench {
  readonly path: string;
  readonly store: FileStore;
  readonly log: Log;
  readonly clock: FakeClock;
  damage(name: string): Promise<void>;
}

/** Runs `run` with a fresh store and removes it. */
export async function bench(run: (bench: StoreBench) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flan-damage-" });
  const path = `${directory}/network.json`;
  const log = new Log();
  const clock = new FakeClock();
  const store = new FileStore(path, { clock, log });
  const damage = (name: string) => Deno.copyFile(new URL(`torn/${name}`, fixtures), path);
  try {
    await run({ path, store, log, clock, damage });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A lease of host `i`. */
export function lease(i: number) {
  const value = { PublicIP: `192.168.0.${i}`, PublicIPv6: null };
  return { key: `10.5.${i}.0-24`, value, node: `node-${i}`, ttl: 3600 };
}
