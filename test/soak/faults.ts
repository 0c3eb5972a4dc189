/** What the soak does to the hosts, and when each of them is whole again. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { showProxy } from "../lib/ask_proxy.ts";
import type { Hosts, Member } from "../lib/hosts.ts";
import { ask } from "./control.ts";
import { between } from "./random.ts";
import type { Window } from "./windows.ts";

export const faults = [
  "agent ended",
  "agent killed",
  "proxy killed",
  "underlay flapped",
  "TUN device down",
] as const;
export type Fault = (typeof faults)[number];

/**
 * Who is hit, from 1 on: nobody ends the processes of host 1, so that a leak has the time to show; the agent of host 2
 * is ended, and both processes of host 3.
 */
const targets: Readonly<Record<Fault, readonly number[]>> = {
  "agent ended": [2, 3],
  "agent killed": [2, 3],
  "proxy killed": [3],
  "underlay flapped": [1, 2, 3],
  "TUN device down": [1, 2, 3],
};

/** How long a host may take to be whole again, and how long packets that wait then need. */
const PATIENCE_MS = 10_000;
const GRACE_MS = 1000;
/**
 * How long packets may be lost once a host can be repaired. On a busy machine a killed proxy was away for 1.3 s, and a
 * device that was down for 0.2 s; after the underlay's a neighbour may have to be asked for again, once a second.
 */
const REPAIR_MS = 3000;
const LOOK_MS = 20;
const LONGEST_ABSENCE_MS = 5000;
const LONGEST_FLAP_MS = 3000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface World {
  readonly hosts: Hosts;
  readonly members: readonly Member[];
  readonly random: () => number;
}

/** What was done, what was lost with it, and why it is wrong, if it is. */
export interface Done {
  readonly window: Window;
  /** Repairs that an agent had counted before it was ended. */
  readonly repairs: number;
  readonly failure?: string;
}

/** Does it to a host by chance; resolves when the host is whole again, or has had its time. */
export async function inflict(fault: Fault, world: World): Promise<Done> {
  const { members, random } = world;
  const number = targets[fault][Math.floor(between(random, 0, targets[fault].length))]!;
  const member = members[number - 1]!;
  const repairs = fault.startsWith("agent") ? await repairsOf(member.host) : 0;
  const from = Date.now();
  let length = 0;
  let failure: string | undefined;
  try {
    length = await deeds[fault](member, world) ?? 0;
  } catch (error) {
    failure = `${fault} on host ${number}: ${error instanceof Error ? error.message : String(error)}`;
  }
  await pause(GRACE_MS);
  const outage = outageOf(fault, length);
  const silent = fault.startsWith("agent")
    ? [`agent ${number}`]
    : fault === "proxy killed"
    ? [`proxy ${number}`]
    : [];
  const window = { cause: fault, host: number, from, to: Date.now(), outage, silent };
  return { window, repairs, ...(failure === undefined ? {} : { failure }) };
}

/**
 * How long packets of the host may be lost after a fault, milliseconds. `length` is the time in which the soak itself
 * kept the host apart, which no repair can shorten.
 */
export function outageOf(fault: Fault, length: number): number {
  return fault.startsWith("agent") ? 0 : length + REPAIR_MS;
}

/** Each resolves when the host is whole again, to the milliseconds in which nobody could have repaired it, if any. */
const deeds: Readonly<Record<Fault, (member: Member, world: World) => Promise<number | void>>> = {
  "agent ended": (member, world) => restart(member, { ...world, signal: "SIGTERM" }),
  "agent killed": (member, world) => restart(member, { ...world, signal: "SIGKILL" }),

  async "proxy killed"({ host }) {
    const { pid, routes } = (await showProxy(host))!;
    Deno.kill(pid, "SIGKILL");
    await whole(`another proxy with ${routes.length} routes or so`, async () => {
      const proxy = await showProxy(host).catch(() => undefined);
      return proxy !== undefined && proxy.pid !== pid && proxy.carrying && proxy.routes.length > 1;
    });
  },

  async "underlay flapped"({ host }, { hosts, random }) {
    const [bridge, port] = [
      host.namespace.replace(/-\d+$/, "-net"),
      host.namespace.replace(/^.*-(\d+)$/, "p$1"),
    ];
    const down = performance.now();
    await must(["ip", "-netns", bridge, "link", "set", port, "down"]);
    await pause(between(random, 200, LONGEST_FLAP_MS));
    await must(["ip", "-netns", bridge, "link", "set", port, "up"]);
    const length = performance.now() - down;
    await answers(hosts, host);
    return length;
  },

  async "TUN device down"({ host }, { hosts }) {
    const { device } = hosts.plane;
    await must(["ip", "-netns", host.namespace, "link", "set", device, "down"]);
    await whole(`${device} up, with its route`, async () => {
      const routes = await must(["ip", "-netns", host.namespace, "route", "show", "dev", device]);
      return routes.includes("proto 113");
    });
  },
};

/** Ends the agent of a member and starts it anew after a while. */
async function restart(
  member: Member,
  { hosts, random, signal }: World & { signal: "SIGTERM" | "SIGKILL" },
): Promise<void> {
  await member.agent.end(signal);
  await pause(between(random, 0, LONGEST_ABSENCE_MS));
  (member as { agent: Member["agent"] }).agent = await hosts.up(member.host);
}

/** Waits until the underlay's far end answers a ping. */
async function answers(hosts: Hosts, host: LabHost): Promise<void> {
  const ping = ["ping", "-n", "-q", "-c", "1", "-W", "1", "192.0.2.254"];
  await whole("an answer over the underlay", async () => (await hosts.lab.on(host, ping)).code === 0);
}

/** Waits until `holds`. Throws where it does not in time. */
export async function whole(what: string, holds: () => Promise<boolean>): Promise<number> {
  const begun = performance.now();
  while (!await holds()) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`no ${what} after ${PATIENCE_MS} ms`);
    await pause(LOOK_MS);
  }
  return performance.now() - begun;
}

/** How much an agent says that it has put back. */
export async function repairsOf({ runDir }: LabHost): Promise<number> {
  const status = await ask(`${runDir}/agent.sock`, { op: "status" }) as { repairs: { count: number } } | null;
  return status?.repairs.count ?? 0;
}
