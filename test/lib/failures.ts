/** What goes wrong with a host most often, made by hand, and what each command calls it. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { datagramsFile } from "./datagrams.ts";
import type { HostProcess } from "./host_process.ts";
import type { Hosts, Member } from "./hosts.ts";

/** What names a failure; what is left out sees nothing of it. */
export interface Named {
  /** `flan routes explain` of a container of the peer's: the first hop that is broken, and how. */
  readonly explain?: RegExp;
  /** `flan routes diff`: the first line. */
  readonly diff?: RegExp;
  /** `flan doctor`: all health codes that it adds, in alphabetical order. */
  readonly doctor?: readonly string[];
  /** `flan ping`, run by the peer: a health code. */
  readonly ping?: string;
}

/** One of the hosts has no agent any more, which would mend it at once. */
export interface Scene {
  readonly hosts: Hosts;
  readonly victim: Member;
  readonly peer: Member;
}

export interface FailureCase extends Named {
  readonly name: string;
  /** Whether `explain` and `diff` have nothing to go by. */
  readonly isStoreAway?: boolean;
  readonly make: (scene: Scene) => Promise<unknown>;
  /** Takes back what `flan routes repair` does not mend. */
  readonly unmake?: (scene: Scene) => Promise<unknown>;
}

const unreachable = "peer-unreachable";
const gatewayOf = ({ subnet }: Member) => subnet.split("/")[0]!;
const onVictim = (...lines: string[]) => ({ hosts, victim }: Scene) => hosts.ip(victim.host, ...lines);

/** Runs a program in the victim's namespace. */
const run = (...argv: string[]) => ({ hosts, victim }: Scene) => must(hosts.lab.command(victim.host, argv));

/** The namespace that the hosts' links come together in. */
function between({ namespace }: LabHost): string {
  return namespace.replace(/\d+$/, "net");
}

/** Drops what the bridge between the hosts would carry and `match` fits. */
const dropBetween = (match: string) => ({ victim }: Scene) =>
  must([
    "ip",
    "netns",
    "exec",
    between(victim.host),
    "nft",
    `table bridge hole { chain forwarding { type filter hook forward priority 0; ${match} drop; }; }`,
  ]);
const undropBetween = ({ victim }: Scene) =>
  must(["ip", "netns", "exec", between(victim.host), "nft", "delete", "table", "bridge", "hole"]);

async function fdbMac({ hosts, victim, peer }: Scene): Promise<string> {
  const entries = await hosts.show(victim.host, "bridge", "fdb show dev flan.1");
  return String(entries.find(({ dst }) => dst === peer.host.address)!["mac"]);
}

/** What is flan's own. */
export const own: readonly FailureCase[] = [
  {
    name: "the route to a peer is deleted",
    make: (scene) => onVictim(`route delete ${scene.peer.subnet}`)(scene),
    explain: /^route missing$/,
    diff: /^missing +route /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "a peer's nexthop is deleted",
    make: async (scene) => {
      const shown = await scene.hosts.show(scene.victim.host, "ip", "nexthop show protocol 113");
      const { id } = shown.find(({ gateway }) => gateway === gatewayOf(scene.peer))!;
      await onVictim(`nexthop delete id ${id}`)(scene);
    },
    explain: /^nexthop missing$/,
    diff: /^missing +nexthop /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "a peer's neighbour entry is deleted",
    make: (scene) => onVictim(`neighbour delete ${gatewayOf(scene.peer)} dev flan.1`)(scene),
    // Whoever sends meanwhile has the kernel ask for it.
    explain: /^neighbour (missing|wrong)$/,
    diff: /^(missing|wrong) +neighbour /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "a peer's FDB entry is deleted",
    make: async (scene) =>
      await scene.hosts.bridge(scene.victim.host, `fdb delete ${await fdbMac(scene)} dev flan.1`),
    explain: /^fdb missing$/,
    diff: /^missing +FDB entry /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "a peer's FDB entry leads to another host",
    make: async (scene) =>
      await scene.hosts.bridge(
        scene.victim.host,
        `fdb replace ${await fdbMac(scene)} dev flan.1 dst 192.0.2.77 self permanent`,
      ),
    explain: /^fdb wrong$/,
    diff: /^wrong +FDB entry .*: remote is 192\.0\.2\.77, not /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "the device is deleted",
    make: onVictim("link delete flan.1"),
    explain: /^link missing$/,
    diff: /^missing +link flan\.1$/,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "the device is set down",
    make: onVictim("link set flan.1 down"),
    explain: /^link wrong$/,
    diff: /^wrong +link flan\.1: is down$/,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "the device gets another MAC",
    make: onVictim("link set flan.1 address 02:00:00:00:00:99"),
    explain: /^link wrong$/,
    diff: /^wrong +link flan\.1: /,
    doctor: ["drift"],
    ping: unreachable,
  },
  {
    name: "the device gets a smaller MTU",
    make: onVictim("link set flan.1 mtu 1300"),
    explain: /^link wrong$/,
    diff: /^wrong +link flan\.1: /,
    doctor: ["drift", "mtu-mismatch"],
  },
  {
    name: "the device's address is removed",
    make: onVictim("address flush dev flan.1"),
    explain: /^address missing$/,
    diff: /^missing +address /,
    doctor: ["drift"],
    ping: unreachable,
  },
];

/** What is around flan: the underlay, the host's other settings, the store. */
export const around: readonly FailureCase[] = [
  {
    name: "the underlay gets a smaller MTU",
    make: onVictim("link set eth0 mtu 1400"),
    unmake: onVictim("link set eth0 mtu 1500"),
    explain: /^link wrong$/,
    diff: /^wrong +link flan\.1: /,
    doctor: ["bridge-mtu", "drift", "mtu-mismatch", "subnet-file"],
    ping: "path-mtu-hole",
  },
  {
    name: "the underlay's routes are gone",
    make: onVictim("route delete 192.0.2.0/24 dev eth0", "route delete default"),
    unmake: onVictim("route add 192.0.2.0/24 dev eth0 src 192.0.2.1", "route add default via 192.0.2.254"),
    explain: /^underlay missing$/,
    doctor: ["underlay-missing"],
    ping: unreachable,
  },
  {
    name: "the underlay is down",
    make: onVictim("link set eth0 down"),
    unmake: onVictim("link set eth0 up", "route add default via 192.0.2.254"),
    explain: /^underlay wrong$/,
    doctor: ["underlay-missing"],
    ping: unreachable,
  },
  {
    name: "an administrator's route wins over the peer's",
    make: (scene) => onVictim(`route add ${gatewayOf(scene.peer)}/25 via 192.0.2.254`)(scene),
    unmake: (scene) => onVictim(`route delete ${gatewayOf(scene.peer)}/25`)(scene),
    explain: /^route foreign$/,
    diff: /^foreign +route \S+\/25 via 192\.0\.2\.254 dev eth0 wins over route /,
    doctor: ["foreign-route"],
    ping: unreachable,
  },
  {
    name: "the reverse path filter is strict",
    make: run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"),
    unmake: run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"),
    doctor: ["rp-filter-strict"],
  },
  {
    name: "packets are not forwarded",
    make: run("sysctl", "-qw", "net.ipv4.ip_forward=0"),
    unmake: run("sysctl", "-qw", "net.ipv4.ip_forward=1"),
    doctor: ["forwarding-off"],
  },
  {
    name: "somebody drops what is forwarded",
    make: run(
      "nft",
      "table ip theirs { chain forwarding { type filter hook forward priority 0; policy drop; }; }",
    ),
    unmake: run("nft", "delete", "table", "ip", "theirs"),
    diff: /^missing +forward rules /,
    doctor: ["drift", "forward-drop"],
  },
  {
    name: "the packet filter lets nothing in that nobody asked for",
    make: run(
      "nft",
      "table inet theirs { chain input { type filter hook input priority 0; policy drop; " +
        'ct state established,related accept; iifname "lo" accept; tcp dport 22 accept; }; }',
    ),
    unmake: run("nft", "delete", "table", "inet", "theirs"),
    doctor: ["input-drop"],
    ping: unreachable,
  },
  {
    name: "the packet filter lets nothing in that hosts measure the network by",
    make: run(
      "nft",
      "table inet theirs { chain input { type filter hook input priority 0; " +
        'iifname "flan.1" udp dport 8473 drop; iifname "flan.1" meta l4proto icmp drop; }; }',
    ),
    unmake: run("nft", "delete", "table", "inet", "theirs"),
    doctor: ["probe-drop"],
    ping: unreachable,
  },
  {
    name: "large packets vanish on the way",
    make: dropBetween("meta length 1400-9000"),
    unmake: undropBetween,
    ping: "path-mtu-hole",
  },
  {
    name: "nothing gets from one host to the other",
    make: dropBetween("ip saddr 192.0.2.2 ip daddr 192.0.2.1"),
    unmake: undropBetween,
    ping: unreachable,
  },
  {
    name: "the rules of masquerade are flushed",
    make: run("nft", "flush", "table", "ip", "flan"),
    diff: /^(missing|wrong) +/,
    doctor: ["drift"],
  },
  {
    name: "something else lies in the store's place",
    isStoreAway: true,
    async make({ hosts }) {
      await Deno.rename(storeFile(hosts), `${storeFile(hosts)}.away`);
      await Deno.mkdir(storeFile(hosts));
    },
    async unmake({ hosts }) {
      await Deno.remove(storeFile(hosts));
      await Deno.rename(`${storeFile(hosts)}.away`, storeFile(hosts));
    },
    doctor: ["store-unreachable"],
  },
  {
    name: "subnet.env is deleted",
    make: ({ victim }) => Deno.rename(subnetFile(victim), `${subnetFile(victim)}.away`),
    unmake: ({ victim }) => Deno.rename(`${subnetFile(victim)}.away`, subnetFile(victim)),
    doctor: ["subnet-file"],
  },
  portTaken(),
  {
    name: "another device has the VXLAN port",
    make: onVictim(
      "link delete flan.1",
      "link add theirs type vxlan id 1 dev eth0 dstport 8472 nolearning",
    ),
    unmake: onVictim("link delete theirs"),
    explain: /^link missing$/,
    diff: /^missing +link flan\.1$/,
    doctor: ["drift", "vni-taken"],
    ping: unreachable,
  },
];

/** Another program has the port that the device needs. */
function portTaken(): FailureCase {
  let holder: HostProcess | undefined;
  return {
    name: "another program has the VXLAN port",
    async make({ hosts, victim }) {
      await hosts.ip(victim.host, "link delete flan.1");
      const argv = [Deno.execPath(), "run", "--quiet", "--allow-all", datagramsFile, "echo", "8472"];
      holder = hosts.start(victim.host, argv);
      await holder.out.line(/echoing/);
    },
    unmake: async () => await holder?.end(),
    explain: /^link missing$/,
    diff: /^missing +link flan\.1$/,
    doctor: ["drift", "port-taken"],
    ping: unreachable,
  };
}

function subnetFile({ host }: Member): string {
  return `${host.runDir}/subnet.env`;
}

function storeFile({ lab }: Hosts): string {
  return lab.store.replace(/^file:/, "");
}
