/** What any plane between hosts must do with packets: carry them all, whole, and up to the overlay's MTU. */
import assert from "node:assert/strict";
import { type Outcome, run } from "../../cmd/demo/shell.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import { unanswered } from "../lib/unanswered.ts";
import type { VmHost, VmHosts } from "./hosts.ts";

interface Way {
  readonly from: VmHost;
  readonly to: VmHost;
  /** The first one of the network unless another one is named. */
  readonly family?: Family;
}

/** Pings once from one host's container to another's; an emulated machine takes its time to answer. */
export async function ping({ more = [], ...way }: Way & { more?: readonly string[] }): Promise<Outcome> {
  const [source, target] = endsOf(way);
  const words = ["ping", "-n", "-c", "1", "-W", "10", "-I", source, ...more, target];
  return await run(["ip", "netns", "exec", way.from.namespace, ...words]);
}

function endsOf({ from, to, family = familyOf(from.container) }: Way): [string, string] {
  const [source, target] = [from, to].map((one) => one.containers.find((ip) => familyOf(ip) === family));
  assert.ok(source !== undefined && target !== undefined, `the network has no IPv${family}`);
  return [source, target];
}

/**
 * Insists that all reach all by each family that `most` has, that packets of so many bytes pass undivided, and that no
 * larger ones do.
 */
export async function allReach(
  hosts: VmHosts,
  most: Readonly<Partial<Record<Family, number>>>,
): Promise<void> {
  for (const from of hosts.all) {
    for (const to of hosts.all.filter((one) => one !== from)) {
      for (const family of [4, 6] as const) {
        const mtu = most[family];
        if (mtu !== undefined) await reaches({ from, to, family }, mtu);
      }
    }
  }
}

async function reaches(way: Way & { readonly family: Family }, mtu: number): Promise<void> {
  const named = `${way.from.namespace} to ${way.to.namespace} by IPv${way.family}`;
  // An echo's own headers (RFC 791, RFC 8200, RFC 792).
  const sized = (bytes: number) => ["-M", "do", "-s", `${bytes - (way.family === 4 ? 28 : 48)}`];
  assert.equal(await unanswered(3, () => ping(way)), 0, named);
  const full = await ping({ ...way, more: sized(mtu) });
  assert.equal(full.code, 0, `${named}: ${full.stdout}${full.stderr}`);
  const over = await ping({ ...way, more: sized(mtu + 1) });
  assert.match(over.stdout + over.stderr, new RegExp(`message too long, mtu[=:] ?${mtu}\n`));
  const divided = await ping({ ...way, more: ["-s", "4000"] });
  assert.equal(divided.code, 0, `${named}: ${divided.stdout}${divided.stderr}`);
}

/**
 * Sends so many numbers by TCP, eight bytes each, and insists that they arrive as they were sent. An emulated processor
 * carries about a megabyte a second, so that some have to do in place of the hundred of `test/netns/backends_test.ts`.
 */
export async function stream(
  hosts: VmHosts,
  { numbers, ...way }: Way & { numbers: number },
): Promise<void> {
  const [, target] = endsOf(way);
  const file = `${hosts.lab.directory}/stream`;
  const script = `
seq 1000000 $((1000000 + $2)) >"$1"
rm -f "$1.silence" && mkfifo "$1.silence" && exec 9<>"$1.silence" # where its input ends, nc ends the connection
ip netns exec "$4" busybox nc -l -p 7107 <&9 | cmp - "$1" & receiver=$!
until ip netns exec "$4" ss -Hltn | grep -q :7107; do kill -0 $receiver || exit; done
ip netns exec "$3" busybox nc "$5" 7107 <"$1"
wait $receiver`;
  const words = [file, `${numbers}`, way.from.namespace, way.to.namespace, target];
  const { code, stdout, stderr } = await run(["sh", "-c", script, "sh", ...words]);
  assert.equal(code, 0, stdout + stderr);
}
