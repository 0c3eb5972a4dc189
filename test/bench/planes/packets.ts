/** Packets a second of 64 bytes of UDP, with the program of `packets.c`. */
import { must } from "../../../cmd/demo/shell.ts";
import { highestRate } from "../statistics.ts";
import type { Pair } from "./pair.ts";

const SOURCE = new URL("./packets.c", import.meta.url).pathname;
const PORT = "5201";
/** What may be missing at the rate that is told as one that holds. */
const LOSS = 0.01;
/** Milliseconds in which what is still in queues arrives. */
const DRAIN_MS = 200;

export interface Delivery {
  /** Packets a second that the sender sent, and that arrived. */
  readonly sent: number;
  readonly delivered: number;
  /** Share of what was sent. */
  readonly loss: number;
}

/** Compiles the program into a directory and returns its path. Throws FlanError where there is no C compiler. */
export async function compile(directory: string): Promise<string> {
  const program = `${directory}/packets`;
  await must([Deno.env.get("CC") ?? "cc", "-std=gnu17", "-O2", "-o", program, SOURCE]);
  return program;
}

let runs = 0;

/** Sends at `rate` packets a second for so many seconds, or with 0 as many as go. */
export async function send(
  pair: Pair,
  { program, address, rate, seconds }: { program: string; address: string; rate: number; seconds: number },
): Promise<Delivery> {
  const run = String(++runs);
  const receiver = pair.start(pair.to, [program, "receive", address, PORT, run]);
  await receiver.out.line(/^ready$/);
  const argv = [program, "send", address, PORT, run, String(rate), String(seconds)];
  const [sent, took] = (await pair.must(pair.from, argv)).split(" ").map(Number) as [number, number];
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  await receiver.child.stdin.close();
  await receiver.out.closed;
  const [received, arrived] = receiver.out.lines.at(-1)!.split(" ").map(Number) as [number, number];
  // The time to the last arrival: what waits in queues at the end was delivered at the way's own pace.
  return {
    sent: sent / took,
    delivered: arrived === 0 ? 0 : received / arrived,
    loss: 1 - received / sent,
  };
}

/** The most packets a second of which no more than 1 % is missing. `flooded` is what came of as many as go. */
export async function highestHeld(
  pair: Pair,
  { flooded, steps, ...how }: {
    program: string;
    address: string;
    flooded: Delivery;
    seconds: number;
    steps: number;
  },
): Promise<number> {
  if (flooded.loss <= LOSS) return flooded.delivered;
  const holds = async (rate: number) => (await send(pair, { ...how, rate })).loss <= LOSS;
  // Under overload a way may deliver less than it can without, or more.
  const pace = flooded.delivered;
  const [low, high] = await holds(pace) ? [pace, Math.min(flooded.sent, 2 * pace)] : [pace / 4, pace];
  return await highestRate(holds, { low, high, steps });
}
