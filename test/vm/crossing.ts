/** What any plane between hosts must do with packets: carry them all, whole, and up to the overlay's MTU. */
import assert from "node:assert/strict";
import { run } from "../../cmd/demo/shell.ts";
import type { VmHost, VmHosts } from "./hosts.ts";

/** Pings from one host's container to another's until `count` answers came, or not. */
export async function pings(
  { from, to, count = 3, more = [] }: { from: VmHost; to: VmHost; count?: number; more?: readonly string[] },
): Promise<{ lost: number; said: string }> {
  const words = [
    "ping",
    "-n",
    "-c",
    `${count}`,
    "-i",
    "0.05",
    "-W",
    "5",
    "-I",
    from.container,
    ...more,
  ];
  const { stdout, stderr } = await run(["ip", "netns", "exec", from.namespace, ...words, to.container]);
  const received = Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  return { lost: count - received, said: stdout + stderr };
}

/** Insists that all reach all, that packets of `most` bytes pass undivided, and that no larger ones do. */
export async function allReach(hosts: VmHosts, most: number): Promise<void> {
  for (const from of hosts.all) {
    for (const to of hosts.all.filter((one) => one !== from)) {
      const plain = await pings({ from, to });
      assert.equal(plain.lost, 0, plain.said);
      const sized = (size: number) => ["-M", "do", "-s", `${size - 28}`];
      const full = await pings({ from, to, count: 1, more: sized(most) });
      assert.equal(full.lost, 0, full.said);
      const over = await pings({ from, to, count: 1, more: sized(most + 1) });
      assert.match(over.said, /message too long/i);
      const divided = await pings({ from, to, count: 1, more: ["-s", "4000"] });
      assert.equal(divided.lost, 0, divided.said);
    }
  }
}

/** Sends so many numbers by TCP, eight bytes each, and insists that they arrive as they were sent. */
export async function stream(
  hosts: VmHosts,
  { from, to, numbers }: { from: VmHost; to: VmHost; numbers: number },
): Promise<void> {
  const file = `${hosts.lab.directory}/stream`;
  const script = `
seq 1000000 $((1000000 + $2)) >"$1"
rm -f "$1.silence" && mkfifo "$1.silence" && exec 9<>"$1.silence" # where its input ends, nc ends the connection
ip netns exec "$4" busybox nc -l -p 7107 <&9 | cmp - "$1" & receiver=$!
until ip netns exec "$4" ss -Hltn | grep -q :7107; do kill -0 $receiver || exit; done
ip netns exec "$3" busybox nc "$5" 7107 <"$1"
wait $receiver`;
  const words = [file, `${numbers}`, from.namespace, to.namespace, to.container];
  const { code, stdout, stderr } = await run(["sh", "-c", script, "sh", ...words]);
  assert.equal(code, 0, stdout + stderr);
}
