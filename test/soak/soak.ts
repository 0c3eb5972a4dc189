/**
 * `deno task soak [--minutes N] [--seed N] [--json FILE]`: three hosts on the udp backend under traffic, while peers come
 * and go and things break. Exits with 1 where something did not hold. Who knows the seed gets the same deeds in the same
 * order again; when they meet which packet is the machine's.
 */
import { systemClock } from "../../agent/clock.ts";
import { Lab } from "../../cmd/demo/lab.ts";
import { listenForSignals } from "../../cmd/signals.ts";
import { openStore } from "../../lease/open.ts";
import { silent } from "../../net/log.ts";
import { settingsOrExit } from "../bench/usage.ts";
import { Hosts } from "../lib/hosts.ts";
import { udp } from "../lib/planes.ts";
import { Run } from "./run.ts";
import { report } from "./report.ts";
import { help, settingsOf } from "./settings.ts";
import { broken } from "./verdict.ts";

const chance = Math.floor(Math.random() * 2 ** 32);
const { minutes, seed, json } = settingsOrExit(() => settingsOf(Deno.args, chance), help);
console.error(`soak: ${minutes} minutes, seed ${seed}`);
const hosts = new Hosts(await Lab.create({ name: `flan-soak-${Deno.pid}`, hosts: 3 }), { plane: udp });
const store = await openStore(hosts.lab.store, { clock: systemClock, log: silent });
// Ctrl-C, which takes the hosts' programs as well, leaves nothing behind.
const signals = listenForSignals();
let code: number;
try {
  code = await Promise.race([soak(), signals.stopped]);
} finally {
  store.close();
  await hosts.remove();
}
Deno.exit(code);

/** Resolves to the exit code. */
async function soak(): Promise<number> {
  const members = await hosts.joinAll();
  const found = await new Run({ hosts, members, store, seed }).last(minutes * 60_000);
  const wrong = broken(found);
  report(found, wrong);
  if (json !== undefined) {
    const document = { schema: "flan.soak/v1", minutes, seed, broken: wrong, ...found };
    Deno.writeTextFileSync(json, JSON.stringify(document, null, 2));
  }
  return wrong.length === 0 ? 0 : 1;
}
