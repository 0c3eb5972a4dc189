/** What comes to a host over its underlay, counted by its own kernel before anything else sees it. */
import { must } from "../../cmd/demo/shell.ts";

export interface Counted {
  /** Packets of IPv4 that are not IPsec's. */
  clear(): Promise<number>;
  esp(): Promise<number>;
}

/** Counts from now on, and forgets an earlier count: what `sealed` says is IPsec's, and all else. */
export async function count(
  { namespace }: { readonly namespace: string },
  sealed: readonly [is: string, isNot: string] = ["ip protocol esp", "ip protocol != esp"],
): Promise<Counted> {
  const on = (argv: readonly string[]) => must(["ip", "netns", "exec", namespace, ...argv]);
  await on(["sh", "-c", "nft delete table netdev seen 2>/dev/null; true"]);
  const rules = `table netdev seen {
  counter sealed {}
  counter open {}
  chain wire { type filter hook ingress device eth0 priority 0; ${sealed[0]} counter name sealed; ${
    sealed[1]
  } counter name open; }
}`;
  await on(["nft", rules]);
  const read = async (name: string) => {
    const said = await on(["nft", "list", "counter", "netdev", "seen", name]);
    return Number(/packets (\d+)/.exec(said)![1]);
  };
  return { clear: () => read("open"), esp: () => read("sealed") };
}
