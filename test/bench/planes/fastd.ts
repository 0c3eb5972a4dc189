/** fastd with the method "null", which neither encrypts nor authenticates packets: a VPN of community networks. */
import type { Pair } from "./pair.ts";
import { overlay, type Plane } from "./plane.ts";

const PORT = 10_000;
/** 1500 less the headers of IPv4 and UDP and the byte that this method adds. */
const MTU = 1471;

export const fastd: Plane = {
  name: "fastd",
  about: `Debian's fastd, method null, MTU ${MTU}`,
  measures: "all",
  async make(pair) {
    const keys = await Promise.all(pair.hosts.map((host) => keysOf(pair, host)));
    for (const [i, host] of pair.hosts.entries()) {
      const file = `${pair.directory}/${i}.conf`;
      Deno.writeTextFileSync(
        file,
        [
          `mode tun; interface "fastd0"; method "null"; mtu ${MTU}; secret "${keys[i]!.secret}";`,
          `bind ${host.address}:${PORT};`,
          `peer "other" { key "${keys[1 - i]!.public}"; remote ${pair.peerOf(host).address}:${PORT}; }`,
          `on up "ip address add ${overlay[i]}/24 dev fastd0; ip link set fastd0 up";`,
        ].join("\n"),
      );
      pair.start(host, ["fastd", "--config", file, "--log-level", "info"]);
    }
    return overlay[1];
  },
};

async function keysOf(pair: Pair, host: Pair["from"]): Promise<{ secret: string; public: string }> {
  const secret = (await pair.must(host, ["fastd", "--generate-key", "--machine-readable"])).trim();
  const shown = 'echo "secret \\"$0\\";" | fastd --config - --show-key --machine-readable';
  return { secret, public: (await pair.must(host, ["sh", "-c", shown, secret])).trim() };
}
