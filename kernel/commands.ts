/**
 * Changes as the `ip`, `bridge`, `nft`, `wg`, `sysctl` and `ethtool` commands (iproute2, nftables, wireguard-tools, procps, ethtool) that do the same, to paste into
 * a shell. What a process does and no command, stands between them as a comment.
 */
import { familyOf } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import type { Change } from "./kernel.ts";
import { hookEnvironment } from "./hook.ts";
import { deviceCommands, peerCommand } from "./wireguard_commands.ts";
import { nftCommands } from "./nft_commands.ts";
import { isFirewalls, isProxys, isXfrms } from "./relations.ts";
import { encapSocketComment, xfrmCommand } from "./xfrm_commands.ts";
import {
  type Address,
  defaultMetric,
  type EncapSocket,
  type FdbEntry,
  type ForwardRules,
  type Hook,
  type KernelObject,
  type Link,
  type Masquerade,
  type Neighbour,
  type Nexthop,
  type Proxy,
  type ProxyRoute,
  type Route,
  type Tun,
  type WireguardPeer,
  type XfrmPolicy,
  type XfrmState,
} from "./state.ts";
import { placeOf } from "../net/place.ts";

type Verb = Change["verb"];

/**
 * One command or comment a line, in the order of the changes; a new link takes several. `actual` is what stands there, where
 * that is known: of a link that is changed, only what is another is then set.
 */
export function toCommands(changes: readonly Change[], actual: readonly KernelObject[] = []): string[] {
  const links = new Map(actual.flatMap((one) => one.kind === "link" ? [[one.name, one]] : []));
  return changes.flatMap(({ verb, object }) => {
    if (object.kind === "link") {
      const there = links.get(object.name);
      const words = verb === "replace" ? linkSettings(object, there) : linkCommands(verb, object);
      return [...words.map(shellWords), ...(verb === "delete" ? [] : deviceCommands(object, there))];
    }
    if (isProxys(object)) return [`# ${printable(proxyComment(verb, object))}`];
    if (object.kind === "hook") return hookCommand(verb, object);
    if (object.kind === "wireguard-peer") return [peerCommand(verb, object)];
    if (object.kind === "encap-socket") return [encapSocketComment(verb, object)];
    if (isXfrms(object)) return [xfrmCommand(verb, object)];
    return isFirewalls(object) ? firewallLines(verb, object) : commandsFor(verb, object).map(shellWords);
  });
}

/** As `hooks/` runs it. Of one that is replaced, what its former self has to take away is not known here. */
function hookCommand(verb: Verb, hook: Hook): string[] {
  const command = verb === "delete" ? hook.remove : hook.add;
  if (command === "") return [];
  const environment = Object.entries(hookEnvironment(hook)).map(([name, value]) => `${name}=${value}`);
  const words = [
    shellWords(["printf", "%s\\n", hook.data]),
    shellWords(["env", ...environment, "sh", "-c", command]),
  ];
  return [printable(words.join(" | "), 10_000)];
}

/** The handles by which rules are deleted are known to whoever reads the chain, and change each time. */
function firewallLines(verb: Verb, object: Masquerade | ForwardRules): string[] {
  const lines = nftCommands(verb, object).map((words) => shellWords(["nft", ...words]));
  if (object.kind === "masquerade" || verb === "add") return lines;
  const { alias, chain } = object;
  return [
    `# nft -a list chain ${printable(chain)}: delete the rules with comment "${
      printable(alias)
    }" by their handles`,
    ...lines,
  ];
}

function proxyComment(verb: Verb, object: Proxy | ProxyRoute): string {
  if (object.kind === "proxy") {
    if (verb === "delete") return "flan proxy stop";
    const { address, link, port } = object;
    // One that runs is told by flan up, and by no command.
    const does = verb === "add" ? "starts: flan proxy run" : "mends: the proxy";
    return `flan up ${does} (UDP ${placeOf({ hostname: address, port })}, device ${link})`;
  }
  const { destination, port, remote } = object;
  return `${verb === "delete" ? "no " : ""}proxy route ${destination} to ${
    placeOf({ hostname: remote, port })
  }`;
}

type Words = readonly (string | number)[];

function commandsFor(
  verb: Verb,
  object: Exclude<
    KernelObject,
    | Link
    | Proxy
    | ProxyRoute
    | Hook
    | Masquerade
    | ForwardRules
    | WireguardPeer
    | EncapSocket
    | XfrmState
    | XfrmPolicy
  >,
): Words[] {
  switch (object.kind) {
    case "address":
      return [addressCommand(verb, object)];
    case "nexthop":
      return [nexthopCommand(verb, object)];
    case "neighbour":
      return [neighbourCommand(verb, object)];
    case "fdb":
      return [fdbCommand(verb, object)];
    case "route":
      return [routeCommand(verb, object)];
    case "sysctl":
      // With slashes: the name of a link may hold dots. A sysctl cannot be deleted.
      return verb === "delete" ? [] : [["sysctl", "-w", `${object.name}=${object.value}`]];
  }
}

function linkCommands(verb: "add" | "delete", link: Link): Words[] {
  if (verb === "delete") return [["ip", "link", "delete", "dev", link.name]];
  const [set = [], ...finish] = linkSettings(link);
  const made: Words[] = link.tun === undefined
    ? [["ip", "link", "add", link.name, ...set.slice(5), ...typeWords(link)]]
    : [tunCommand(link.name, link.tun), set];
  // No IPv6 address of its own, which no plan wants; where IPv6 is off this command fails and is not needed.
  return [...made, ["ip", "link", "set", "dev", link.name, "addrgenmode", "none"], ...finish];
}

/** What of a link can be set while it is there; of one that is known as `found` only what is another. */
function linkSettings(link: Link, found?: Link): Words[] {
  const set: Words = ["ip", "link", "set", "dev", link.name];
  const differs = (name: "mac" | "mtu" | "alias" | "txChecksum" | "up") => link[name] !== found?.[name];
  const isQueued = link.tun !== undefined && link.tun.queueLength !== found?.tun?.queueLength;
  const values: Words = [
    ...(link.mac !== "" && differs("mac") ? ["address", link.mac] : []),
    ...(differs("mtu") ? ["mtu", link.mtu] : []),
    ...(isQueued ? ["txqueuelen", link.tun!.queueLength] : []),
  ];
  return [
    ...(values.length === 0 ? [] : [[...set, ...values]]),
    ...(differs("alias") ? [[...set, "alias", link.alias]] : []),
    ...(link.txChecksum !== undefined && differs("txChecksum")
      ? [["ethtool", "-K", link.name, "tx", link.txChecksum ? "on" : "off"]]
      : []),
    ...(differs("up") ? [[...set, link.up ? "up" : "down"]] : []),
  ];
}

/** Makes a persistent TUN device; packet information is off by default. */
function tunCommand(name: string, { multiQueue }: Tun): Words {
  return [
    ...["ip", "tuntap", "add", "dev", name, "mode", "tun", "vnet_hdr"],
    ...(multiQueue ? ["multi_queue"] : []),
  ];
}

function typeWords({ type, vxlan, ipip, xfrm }: Link): Words {
  if (xfrm) return ["type", "xfrm", "if_id", xfrm.interfaceId];
  if (ipip) return ["type", "ipip", "local", ipip.local, "remote", ipip.remote || "any", "nopmtudisc"];
  if (!vxlan) return type === "" ? [] : ["type", type];
  return [
    ...["type", "vxlan", "id", vxlan.vni],
    ...(vxlan.parent === "" ? [] : ["dev", vxlan.parent]),
    ...["local", vxlan.local, "dstport", vxlan.port],
    vxlan.learning ? "learning" : "nolearning",
    ...(vxlan.gbp ? ["gbp"] : []),
  ];
}

function addressCommand(verb: Verb, { address, link }: Address): Words {
  // Duplicate address detection asks neighbours that a tunnel does not have.
  const more = verb !== "delete" && familyOf(address) === 6 ? ["nodad"] : [];
  return ["ip", "address", verb, address, "dev", link, ...more];
}

function nexthopCommand(verb: Verb, { id, gateway, link, onlink, protocol }: Nexthop): Words {
  if (verb === "delete") return ["ip", "nexthop", "delete", "id", id];
  return [
    ...["ip", "nexthop", verb, "id", id, "via", gateway, "dev", link],
    ...(onlink ? ["onlink"] : []),
    ...["protocol", protocol],
  ];
}

function neighbourCommand(verb: Verb, { ip, mac, link, state, protocol }: Neighbour): Words {
  if (verb === "delete") return ["ip", "neighbour", "delete", ip, "dev", link];
  return [
    ...["ip", "neighbour", verb, ip, "lladdr", mac, "dev", link],
    ...["nud", state, "protocol", protocol],
  ];
}

function fdbCommand(verb: Verb, { mac, link, remote }: FdbEntry): Words {
  const entry = [mac, "dev", link, ...(remote === "" ? [] : ["dst", remote]), "self"];
  return ["bridge", "fdb", verb, ...entry, ...(verb === "delete" ? [] : ["permanent"])];
}

function routeCommand(verb: Verb, route: Route): Words {
  const { destination, gateway, link, metric, nexthop, onlink, protocol, type } = route;
  const way = nexthop !== 0 ? ["nhid", nexthop] : [
    ...(gateway === "" ? [] : ["via", gateway]),
    ...(link === "" ? [] : ["dev", link]),
    ...(onlink ? ["onlink"] : []),
  ];
  return [
    ...["ip", "route", verb, ...(type === "unicast" ? [] : [type]), destination],
    ...way,
    ...["protocol", protocol],
    ...(metric === defaultMetric(destination) ? [] : ["metric", metric]),
  ];
}

/** Quotes what a POSIX shell would take apart. */
export function shellWords(words: Words): string {
  return words.map(String).map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  ).join(" ");
}
