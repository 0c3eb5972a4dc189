/** Packets that go both ways between two hosts while something happens. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { Hosts } from "./hosts.ts";

/** Answers that are waited for after the last one that counts, so that none that counts is still under way. */
const AFTERWARDS = 20;

/** Pings a hundred times a second while `body` runs; resolves to what was sent until its end and came back. */
export async function underTraffic(
  hosts: Hosts,
  { from, to }: { from: LabHost; to: string },
  body: () => Promise<void>,
): Promise<{ sent: number; received: number }> {
  const flood = hosts.start(from, ["ping", "-n", "-i", "0.01", "-W", "2", to]);
  const answered = () =>
    flood.out.lines.flatMap((line) => {
      const number = /icmp_seq=(\d+) ttl=/.exec(line)?.[1];
      return number === undefined ? [] : [Number(number)];
    });
  const afterMore = async (count: number) => {
    const wanted = answered().length + count;
    await flood.out.until(`${count} more answers`, () => Promise.resolve(answered().length >= wanted));
  };
  await afterMore(3);
  await body();
  await afterMore(1);
  // Its own summary, on a signal, takes what is under way for lost.
  const sent = Math.max(...answered());
  await afterMore(AFTERWARDS);
  await flood.end("SIGINT");
  return { sent, received: new Set(answered().filter((number) => number <= sent)).size };
}
