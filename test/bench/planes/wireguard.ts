/** wireguard-go, WireGuard in user space. Debian 12 has it from before it took super-packets (GSO, GRO), and it encrypts. */
import type { Pair } from "./pair.ts";
import { overlay, type Plane } from "./plane.ts";

const PORT = 51820;

export const wireguardGo: Plane = {
  name: "wireguard-go",
  about: "Debian's wireguard-go, encrypted, MTU 1420",
  measures: "all",
  async make(pair) {
    const keys = await Promise.all(pair.hosts.map((host) => keysOf(pair, host)));
    for (const [i, host] of pair.hosts.entries()) {
      // Its control sockets lie in one directory for all namespaces, by the name of the device.
      const device = `wg${Deno.pid}${"ab"[i]}`;
      const daemon = pair.start(host, ["wireguard-go", "--foreground", device], { LOG_LEVEL: "verbose" });
      await daemon.out.line(/UAPI listener started/);
      const peer = pair.peerOf(host);
      const set = `wg set ${device} listen-port ${PORT} private-key ${keys[i]!.file} peer ${
        keys[1 - i]!.key
      } endpoint ${peer.address}:${PORT} allowed-ips ${overlay[1 - i]}/32`;
      await pair.must(host, set.split(" "));
      await pair.must(host, ["ip", "address", "add", `${overlay[i]}/24`, "dev", device]);
      await pair.must(host, ["ip", "link", "set", device, "mtu", "1420", "up"]);
    }
    return overlay[1];
  },
};

async function keysOf(pair: Pair, host: Pair["from"]): Promise<{ file: string; key: string }> {
  const file = `${pair.directory}/${host.address}.key`;
  await pair.must(host, ["sh", "-c", 'umask 077; wg genkey > "$0"', file]);
  return { file, key: (await pair.must(host, ["sh", "-c", 'wg pubkey < "$0"', file])).trim() };
}
