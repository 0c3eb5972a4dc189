/** What any plane between hosts must do with packets: carry them all, whole, and up to the overlay's MTU. */
import assert from "node:assert/strict";
import { type Outcome, run } from "../../cmd/demo/shell.ts";
import { unanswered } from "../lib/unanswered.ts";
import type { VmHost, VmHosts } from "./hosts.ts";

/** Pings once from one host's container to another's; an emulated machine takes its time to answer. */
export async function ping(
  { from, to, more = [] }: { from: VmHost; to: VmHost; more?: readonly string[] },
): Promise<Outcome> {
  const words = ["ping", "-n", "-c", "1", "-W", "10", "-I", from.container, ...more, to.container];
  return await run(["ip", "netns", "exec", from.namespace, ...words]);
}

/** Insists that all reach all, that packets of `most` bytes pass undivided, and that no larger ones do. */
export async function allReach(hosts: VmHosts, most: number): Promise<void> {
  for (const from of hosts.all) {
    for (const to of hosts.all.filter((one) => one !== from)) {
      const way = `${from.namespace} to ${to.container}`;
      assert.equal(await unanswered(3, () => ping({ from, to })), 0, way);
      const sized = (size: number) => ["-M", "do", "-s", `${size - 28}`];
      const full = await ping({ from, to, more: sized(most) });
      assert.equal(full.code, 0, `${way}: ${full.stdout}${full.stderr}`);
      const over = await ping({ from, to, more: sized(most + 1) });
      assert.match(over.stdout + over.stderr, new RegExp(`message too long, mtu[=:] ?${most}\n`));
      const divided = await ping({ from, to, more: ["-s", "4000"] });
      assert.equal(divided.code, 0, `${way}: ${divided.stdout}${divided.stderr}`);
    }
  }
}

/**
 * Sends so many numbers by TCP, eight bytes each, and insists that they arrive as they were sent. An emulated processor
 * carries about a megabyte a second, so that some have to do in place of the hundred of `test/netns/backends_test.ts`.
 */
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
