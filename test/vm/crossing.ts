/** What any plane between hosts must do with packets: carry them all, whole, and up to the overlay's MTU. */
import assert from "node:assert/strict";
import { must, type Outcome, run } from "../../cmd/demo/shell.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import type { VmHost, VmHosts } from "./hosts.ts";
import { guestProgram } from "./machine.ts";

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
    const words = hosts.all.filter((to) => to !== from).flatMap((to) =>
      ([4, 6] as const).flatMap((family) => {
        const mtu = most[family];
        // An echo's own headers (RFC 791, RFC 8200, RFC 792).
        const headers = family === 4 ? 28 : 48;
        return mtu === undefined ? [] : [...endsOf({ from, to, family }), `${mtu}`, `${mtu - headers}`];
      })
    );
    const argv = ["ip", "netns", "exec", from.namespace, "sh", "-c", ECHOES, "sh", ...words];
    const { code, stdout, stderr } = await run(argv);
    assert.equal(code, 0, `from ${from.namespace}: ${stdout}${stderr}`);
  }
}

/**
 * For each source, target, MTU and size of the echo that fills it. One process that starts the others, because to start
 * one on a host takes an emulated machine longer than all its echoes.
 */
const ECHOES = `
echoes() { ping -n -c 1 -W 10 -I "$from" "$@" "$to" 2>&1; }
fail() { echo "$from to $to: $1: $said"; exit 1; }
while test $# -gt 0; do
  from=$1 to=$2 mtu=$3 size=$4
  shift 4
  for i in 1 2 3; do said=$(echoes) || fail "no answer"; done
  said=$(echoes -M do -s "$size") || fail "no answer to a packet of the MTU"
  # The sender's own kernel refuses it, and there is no answer to wait for.
  said=$(echoes -M do -s $((size + 1)) -W 0.1)
  echo "$said" | grep -Eq "message too long, mtu[=:] ?$mtu\$" || fail "no refusal of a larger one"
  said=$(echoes -s 4000) || fail "no answer to a divided one"
done`;

/** Sends so many megabytes by TCP, and insists that they arrive as they were sent. */
export async function stream({ megabytes, ...way }: Way & { megabytes: number }): Promise<void> {
  const [, target] = endsOf(way);
  const bytes = `${megabytes}000000`;
  const argv = [guestProgram("stream"), way.from.namespace, way.to.namespace, target, bytes];
  const said = await must(argv);
  const [sent, received] = said.trim().split("\n");
  assert.match(sent!, new RegExp(`^sent ${bytes} [0-9a-f]{16}$`));
  assert.equal(received?.replace("received", "sent"), sent);
}
