/** A host that wg(8) was set up on by hand: its own wireguard-go, `wg setconf`, addresses and routes. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { bits, familyOf } from "../../net/ip.ts";
import { placeOf } from "../../net/place.ts";
import { address6Of, type Hosts, type Member } from "./hosts.ts";
import { leaseFor, PLAIN_CONTAINER, PLAIN_SUBNET } from "./plain_host.ts";
import { NETWORK, NETWORK6 } from "./planes.ts";

const PORT = 51820;
/** What flannel announces with the IPv6 half, and nobody listens at where one device carries both. */
const PORT_V6 = 51821;
const PLAIN_SUBNET6 = "fd00:10:244:77::/64";
const PLAIN_CONTAINER6 = "fd00:10:244:77::1";

export class PlainWg {
  /** Of its containers, so to say. */
  readonly addresses: readonly string[];
  readonly subnets: readonly string[];
  readonly #directory: string;
  readonly #publicKey: string;

  private constructor(
    readonly host: LabHost,
    { directory, publicKey, isDual }: { directory: string; publicKey: string; isDual: boolean },
  ) {
    this.addresses = isDual ? [PLAIN_CONTAINER, PLAIN_CONTAINER6] : [PLAIN_CONTAINER];
    this.subnets = isDual ? [PLAIN_SUBNET, PLAIN_SUBNET6] : [PLAIN_SUBNET];
    this.#directory = directory;
    this.#publicKey = publicKey;
  }

  /** `isDual` is one that carries both families in its one device. */
  static async start(hosts: Hosts, host: LabHost, { isDual = false } = {}): Promise<PlainWg> {
    const directory = `${host.runDir}/plain`;
    Deno.mkdirSync(`${directory}/sockets`, { recursive: true });
    const program = hosts.start(
      host,
      within(directory, "wg genkey >key; wg pubkey <key; exec wireguard-go -f wg0"),
    );
    const publicKey = await program.out.line(/^\S{44}$/);
    await program.err.until(
      "its device",
      async () => (await hosts.show(host, "ip", "link")).some((one) => one["ifname"] === "wg0"),
    );
    return new PlainWg(host, { directory, publicKey, isDual });
  }

  async announce(hosts: Hosts): Promise<void> {
    const [subnet, subnet6] = this.subnets as [string, string?];
    const data = (Port: number) => ({ PublicKey: this.#publicKey, Port });
    const first = { subnet, BackendType: "wireguard", BackendData: data(PORT) };
    const second = { PublicIPv6: address6Of(this.host), BackendV6Data: data(PORT_V6) };
    await leaseFor(hosts, this.host, subnet6 === undefined ? first : { ...first, ...second, subnet6 });
  }

  /** Sends to its peers at `placedAt`. */
  async takePeers(
    hosts: Hosts,
    members: readonly Member[],
    placedAt: (host: LabHost) => string = ({ address }) => address,
  ): Promise<void> {
    const peers = members.map(({ host, subnet, subnet6 }) =>
      [
        "[Peer]",
        `PublicKey = ${Deno.readTextFileSync(`${host.stateDir}/wireguard.pub`).trim()}`,
        `Endpoint = ${placeOf({ hostname: placedAt(host), port: PORT })}`,
        `AllowedIPs = ${[subnet, ...subnet6 === undefined ? [] : [subnet6]].join()}`,
      ].join("\n")
    );
    const key = Deno.readTextFileSync(`${this.#directory}/key`).trim();
    const conf = [`[Interface]\nPrivateKey = ${key}\nListenPort = ${PORT}`, ...peers].join("\n");
    Deno.writeTextFileSync(`${this.#directory}/wg0.conf`, `${conf}\n`);
    const { code, stderr } = await hosts.lab.on(
      this.host,
      within(
        this.#directory,
        [
          "wg setconf wg0 wg0.conf",
          "ip link set wg0 mtu 1420 up",
          // The first of a subnet is its host's, which others ask whether it is there.
          ...[...this.addresses, ...this.subnets.map((one) => one.split("/")[0]!)].map((one) =>
            `ip address add ${one}/${bits(familyOf(one))} dev wg0`
          ),
          ...[NETWORK, NETWORK6].slice(0, this.subnets.length).map((one) => `ip route add ${one} dev wg0`),
        ].join(" && "),
      ),
    );
    assert.equal(code, 0, stderr);
  }
}

/** Runs a script in the directory, with sockets of WireGuard's of its own. */
function within(directory: string, script: string): string[] {
  const mounted = `mkdir -p /run/wireguard && mount --bind sockets /run/wireguard && ${script}`;
  return ["sh", "-c", `cd ${directory} && exec unshare --mount --propagation private sh -c '${mounted}'`];
}
