/** WireGuard's settings in the words of `wg` (wireguard-tools, man 8 wg). Secrets are named by where they are kept. */
import type { Change } from "./kernel.ts";
import type { Link, WireguardPeer } from "./state.ts";
import { keyFileOf } from "./wireguard.ts";

/** Where `agent/wireguard_key.ts` keeps the private key of a device. */
const keyOn = (device: string) => `"\${FLAN_STATE_DIR:-/var/lib/flan}/${keyFileOf(device)}.key"`;
/** As bash reads it: a file whose contents are a command's. */
const PRESHARED_KEY = "<(flan config get --reveal Backend.PSK)";

/** What a WireGuard link takes beside what every link does, where it is not as it stands `there`. */
export function deviceCommands({ name, wireguard }: Link, there: Link | undefined): string[] {
  const before = there?.wireguard;
  if (wireguard === undefined) return [];
  if (before?.listenPort === wireguard.listenPort && before.publicKey === wireguard.publicKey) return [];
  return [`wg set ${name} listen-port ${wireguard.listenPort} private-key ${keyOn(name)}`];
}

/** One command, which adds the peer or changes it in place. */
export function peerCommand(verb: Change["verb"], peer: WireguardPeer): string {
  const { link, publicKey, endpoint, allowedIps, keepalive, presharedKey } = peer;
  const set = `wg set ${link} peer ${publicKey}`;
  if (verb === "delete") return `${set} remove`;
  return [
    set,
    ...(presharedKey === "" ? (verb === "replace" ? ["preshared-key /dev/null"] : []) : [
      `preshared-key ${PRESHARED_KEY}`,
    ]),
    ...(endpoint === "" ? [] : [`endpoint '${endpoint}'`]),
    `persistent-keepalive ${keepalive}`,
    `allowed-ips ${allowedIps.join(",") || "''"}`,
  ].join(" ");
}
