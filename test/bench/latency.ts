/** Time from a lease in the store to the route in the kernel of every host. */
import type { Lab } from "../../cmd/demo/lab.ts";
import { openStore } from "../../lease/open.ts";
import { systemClock } from "../../agent/clock.ts";
import { silent } from "../../net/log.ts";

export interface Latency {
  readonly hosts: number;
  readonly rounds: number;
  /** Milliseconds until the last host has the route. */
  readonly median: number;
  readonly p90: number;
  readonly worst: number;
}

/** Follows `ip monitor route` of a host, and resolves waiters when a line with their text comes. */
function monitor(lab: Agents, index: number) {
  const host = lab.hosts[index]!;
  const [program, ...args] = lab.command(host, ["ip", "monitor", "route"]);
  const child = new Deno.Command(program, { args, stdout: "piped", stdin: "null" }).spawn();
  const waiting = new Map<string, () => void>();
  const reading = (async () => {
    let rest = "";
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    ) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        waiting.get(line.split(" ").slice(0, line.startsWith("Deleted") ? 2 : 1).join(" "))?.();
      }
    }
  })();
  return {
    seen: (line: string) => new Promise<void>((resolve) => waiting.set(line, resolve)),
    async close() {
      child.kill();
      await reading;
    },
  };
}

/** What it takes of a lab. */
export type Agents = Pick<Lab, "hosts" | "store" | "command">;

/** The lab's hosts run agents already. */
export async function latency(lab: Agents, rounds: number): Promise<Latency> {
  const store = await openStore(lab.store, { clock: systemClock, log: silent });
  const monitors = lab.hosts.map((_, i) => monitor(lab, i));
  const all = (line: string) => Promise.all(monitors.map((one) => one.seen(line)));
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const subnet = `10.244.${100 + i}.0`;
    const value = {
      PublicIP: `192.0.2.${210 + i % 40}`,
      BackendType: "vxlan",
      BackendData: { VNI: 1, VtepMAC: `02:00:00:02:00:${(i + 16).toString(16)}` },
    };
    const added = all(`${subnet}/24`);
    const begun = performance.now();
    const record = await store.create({ key: `${subnet}-24`, value, node: `bench${i}`, ttl: 600 });
    await added;
    times.push(performance.now() - begun);
    const removed = all(`Deleted ${subnet}/24`);
    await store.remove(record.key, record.revision);
    await removed;
  }
  await Promise.all(monitors.map((one) => one.close()));
  store.close();
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]! * 10) / 10;
  return { hosts: lab.hosts.length, rounds, median: at(0.5), p90: at(0.9), worst: at(1) };
}
