/** Containers as network namespaces behind a host's bridge, and namespaces that note who sends packets to them. */
import { must, run } from "../../cmd/demo/shell.ts";
import type { Member } from "./hosts.ts";
import { until } from "./until.ts";

const table = "ip flan-test-seen";

/** Lets the namespace remember the source of every ping that reaches it. */
export async function noteSources(namespace: string): Promise<void> {
  const script = [
    `add table ${table}`,
    `add set ${table} sources { type ipv4_addr; flags dynamic; }`,
    `add chain ${table} in { type filter hook prerouting priority -300; }`,
    `add rule ${table} in icmp type echo-request add @sources { ip saddr }`,
  ].join("\n");
  await must(["ip", "netns", "exec", namespace, "sh", "-c", `nft -f - <<EOF\n${script}\nEOF`]);
}

/** Pings `address` from a namespace, and says which source the namespace `to` sees. Waits until one ping has come. */
export async function sourceSeen(
  { from, address, to, flags = [] }: { from: string; address: string; to: string; flags?: readonly string[] },
): Promise<string> {
  await must(["ip", "netns", "exec", to, "nft", "flush", "set", ...table.split(" "), "sources"]);
  const seen = async () => {
    const shown = await must([
      "ip",
      "netns",
      "exec",
      to,
      "nft",
      "list",
      "set",
      ...table.split(" "),
      "sources",
    ]);
    return /elements = \{ ([^}]*) \}/.exec(shown)?.[1]?.trim() ?? "";
  };
  let sources = "";
  await until(`a ping from ${from} to ${address}`, async () => {
    await run(["ip", "netns", "exec", from, "ping", "-n", "-q", "-c1", "-W1", ...flags, address]);
    sources = await seen();
    return sources !== "";
  });
  return sources;
}

export class Container {
  readonly namespace: string;
  readonly address: string;

  private constructor(namespace: string, address: string) {
    this.namespace = namespace;
    this.address = address;
  }

  /** Starts one with the second address of the member's subnet; it notes who pings it. */
  static async start({ host, container: gateway }: Member): Promise<Container> {
    const namespace = `${host.namespace}-c`;
    const address = gateway.replace(/\d+$/, (last) => `${Number(last) + 1}`);
    await must(["ip", "netns", "add", namespace]);
    const container = new Container(namespace, address);
    const lines = (name: string, ...batch: readonly string[]) =>
      must(["sh", "-c", `ip -netns "$0" -batch - <<EOF\n${batch.join("\n")}\nEOF`, name]);
    await lines(
      host.namespace,
      `link add c0 type veth peer name eth0 netns ${namespace}`,
      "link set c0 master cni0 up",
    );
    await lines(
      namespace,
      "link set lo up",
      `address add ${address}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${gateway}`,
    );
    await noteSources(namespace);
    return container;
  }

  async remove(): Promise<void> {
    await run(["ip", "netns", "delete", this.namespace]);
  }
}
