/** Packets that go both ways between two hosts while something happens. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import type { Hosts } from "./hosts.ts";

/** Pings a hundred times a second while `body` runs; resolves to what was sent and what came back. */
export async function underTraffic(
  hosts: Hosts,
  { from, to }: { from: LabHost; to: string },
  body: () => Promise<void>,
): Promise<{ sent: number; received: number }> {
  const flood = hosts.start(from, ["ping", "-n", "-i", "0.01", "-W", "2", to]);
  await flood.out.line(/icmp_seq=3 /);
  await body();
  const seen = flood.out.lines.length;
  await flood.out.line(/icmp_seq=/, seen + 10);
  await flood.end("SIGINT");
  const summary = flood.out.matching(/packets transmitted/)[0] ?? "";
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(summary) ?? [];
  return { sent: Number(sent), received: Number(received) };
}
