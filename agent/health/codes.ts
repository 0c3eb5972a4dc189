/**
 * Every code of health there is, as data: how bad it is, what it follows from, how soon it shows and what mends it.
 * `status`, `/readyz`, the metrics, the log and the README's table all speak of these.
 */

import { doctorCodes } from "./doctor_codes.ts";

/** `high` means that this host or a peer is cut off or may be; `status` then exits 3, and `/readyz` answers 503. */
export type Severity = "warning" | "high";

export interface CodeFacts {
  readonly severity: Severity;
  readonly means: string;
  /** Codes that cause this one: while one of them is there, mending that one mends both. The likeliest first. */
  readonly needs: readonly string[];
  /** How long after its cause it shows at the latest. */
  readonly within: string;
  /** One command or deed that mends it, or shows how. */
  readonly remedy: string;
}

/** Whatever keeps the store from being used, but for a store that can be read. */
const noStore = ["store-unreachable", "store-bad-reply", "store-denied", "store-damaged"] as const;

function foreign(what: string, needs: readonly string[] = []): CodeFacts & { severity: "high" } {
  return {
    severity: "high",
    means: `somebody else's ${what} stands where flan's should; it is left alone`,
    needs,
    within: "2 s",
    remedy: "remove or rename it (flan routes diff names it); flan takes its place at once",
  };
}

export const healthCodes = {
  "store-unreachable": {
    severity: "warning",
    means: "the store does not answer; the last view stays",
    needs: ["underlay-missing"],
    within: "30 s",
    remedy: "flan store check",
  },
  "store-bad-reply": {
    severity: "warning",
    means: "something answers in the store's place, or answers nonsense; the last view stays",
    needs: [],
    within: "30 s",
    remedy: "flan config show says which --store is meant; flan store check",
  },
  "store-denied": {
    severity: "warning",
    means: "the store refuses this host's certificate, user or token; the last view stays",
    needs: [],
    within: "30 s",
    remedy: "exchange the file that --store-cert, --store-password-file or --store-token-file names",
  },
  "store-damaged": {
    severity: "warning",
    means: "the store's contents cannot be used; the last view stays",
    needs: [],
    within: "30 s",
    remedy: "flan store check",
  },
  "store-read-only": {
    severity: "warning",
    means: "the store can be read and takes no writes (no room left, for one)",
    needs: [],
    within: "the next renewal",
    remedy: "make room in the store, or give this host the right to write",
  },
  "lease-lost": {
    severity: "high",
    means: "the subnet went to another host, and this one left it",
    needs: [],
    within: "2 s after the store says so",
    remedy: "restart the containers of the former subnet; flan lease list says who has it",
  },
  "lease-expired": {
    severity: "high",
    means: "the lease has ended and cannot be renewed: another host may take the subnet",
    needs: [...noStore, "store-read-only", "lease-not-renewed"],
    within: "30 s",
    remedy: "flan lease renew",
  },
  "duplicate-node": {
    severity: "high",
    means: "a clone of this host announces its lease",
    needs: [],
    within: "2 s after the store says so",
    remedy: "remove host.json from the clone's --state-dir and start its agent anew",
  },
  "lease-overwritten": {
    severity: "high",
    means: "a flanneld with this host's address writes its lease",
    needs: [],
    within: "2 s after the store says so",
    remedy: "stop flanneld on this host",
  },
  "lease-not-renewed": {
    severity: "warning",
    means: "the store lets this host not renew its lease",
    needs: ["duplicate-node", "lease-overwritten", "network-config"],
    within: "the next renewal",
    remedy: "flan lease check",
  },
  // What this host announces works, so that it is ready for it.
  "lease-incomplete": {
    severity: "warning",
    means: "this host has no subnet of IPv6 in a dual-stack network; its IPv4 subnet works",
    needs: ["network-config"],
    within: "2 s after the store says so",
    remedy: "flan lease check; flan config set IPv6SubnetMax or IPv6Network, with more room",
  },
  "peer-expired": {
    severity: "warning",
    means: "a peer whose lease is gone; its packets go on for a minute of a working store",
    needs: [...noStore, "store-read-only"],
    within: "2 s after the store says so",
    remedy: "flan status on that peer, if it should live",
  },
  "lease-refused": {
    severity: "warning",
    means: "a lease that cannot be used, alone, with its reason",
    needs: [],
    within: "2 s after the store says so",
    remedy: "flan lease check; flan lease revoke SUBNET takes it away",
  },
  "network-config": {
    severity: "warning",
    means: "the network config in the store cannot be used; the old one stays",
    needs: [],
    within: "2 s after the store says so",
    remedy: "flan config get shows it, flan config set mends it",
  },
  "former-backend": {
    severity: "warning",
    means: "a backend that some peers have not left cannot be taken up; these peers are out of reach",
    needs: [],
    within: "2 s after the store says so",
    remedy: "give this host what the message names, or the peers what their network-config names",
  },
  "foreign-link": foreign("link"),
  "foreign-address": foreign("address", ["foreign-link"]),
  "foreign-route": {
    ...foreign("route"),
    means: "somebody else's route stands where flan's should, or wins over it; it is left alone",
  },
  "foreign-nexthop": foreign("nexthop"),
  "foreign-neighbour": foreign("neighbour", ["foreign-link"]),
  "foreign-fdb": foreign("FDB entry", ["foreign-link"]),
  "foreign-wireguard-peer": foreign("WireGuard peer", ["foreign-link"]),
  // Nobody tells of these; they are found by looking.
  "foreign-xfrm-state": { ...foreign("IPsec state"), within: "30 s" },
  "foreign-xfrm-policy": { ...foreign("IPsec policy"), within: "30 s" },
  "foreign-masquerade": foreign("table ip flan"),
  "foreign-sysctl": {
    severity: "warning",
    means: "somebody else sets a sysctl of flan's device otherwise",
    needs: [],
    within: "30 s",
    remedy: "flan routes diff names it; look for it in /etc/sysctl.d",
  },
  "kernel-refuses": {
    severity: "high",
    means: "the kernel refuses a change; it is tried again with back-off",
    needs: ["underlay-missing", "foreign-link"],
    within: "2 s",
    remedy: "flan routes diff shows what is missing, its message says why",
  },
  "overlay-unreachable": {
    severity: "high",
    means:
      "no peer answers, and two or more should: flan's all, right after a boot those that did or wrote their lease",
    needs: [
      "underlay-missing",
      "proxy-down",
      "kernel-refuses",
      "checksum-errors",
      "input-drop",
      "probe-drop",
    ],
    within: "60 s; of over 400 peers 0.1 s each",
    remedy: "flan doctor; the backend's UDP port must pass on the way between the hosts",
  },
  "peer-unreachable": {
    severity: "warning",
    means: "a peer answers neither probes nor ICMP echoes, three times in a row",
    needs: [
      "underlay-missing",
      "proxy-down",
      "kernel-refuses",
      "overlay-unreachable",
      "peer-expired",
      "checksum-errors",
      "input-drop",
      "probe-drop",
    ],
    within: "60 s; of over 400 peers 0.1 s each",
    remedy: "flan status there; its packet filter must let --probe-port or ICMP echoes in",
  },
  "checksum-errors": {
    severity: "warning",
    means: "packets of the network arrive with a wrong UDP checksum, and the kernel drops them",
    needs: [],
    within: "20 s",
    remedy: "flan up --tx-checksum off on the sender; with flannel ethtool -K flannel.1 tx off",
  },
  "path-mtu-hole": {
    severity: "warning",
    means: "packets that fit the overlay's MTU vanish without a word on the way to a peer; smaller ones pass",
    needs: [],
    within: "60 s; of over 400 peers 0.1 s each",
    remedy: 'let ICMP "fragmentation needed" pass on the way, or lower --mtu on all hosts',
  },
  "probe-port": {
    severity: "warning",
    means: "the port that hosts measure the network by cannot be used",
    needs: ["foreign-address"],
    within: "30 s",
    remedy: "choose another --probe-port on all hosts, or 0 for none",
  },
  "proxy-down": {
    severity: "high",
    means: "the udp backend's proxy cannot be started, or does not answer",
    needs: ["underlay-missing", "foreign-link"],
    within: "35 s",
    remedy: "flan proxy stop lets the agent start another one; its words are in <run-dir>/proxy.log",
  },
  "hook-fails": {
    severity: "high",
    means:
      "a command of the extension backend fails or takes more than 10 s; it is tried again with back-off",
    needs: ["hooks-unreadable", "underlay-missing"],
    within: "30 s",
    remedy: "flan routes diff -o commands shows the command, to be run by hand",
  },
  "hooks-unreadable": {
    severity: "warning",
    means: "hooks.json cannot be read: no command of the network is run, for peers that come or that go",
    needs: [],
    within: "30 s",
    remedy: "take away by hand what the network's commands made, and remove hooks.json from --run-dir",
  },
  "underlay-missing": {
    severity: "high",
    means: "no way out: the underlay's link, carrier or address is gone, or every route to a peer",
    needs: [],
    within: "2 s",
    remedy: "put back what the message names, or name another link with --iface",
  },
  "subnet-file": {
    severity: "high",
    means: "subnet.env is not written: new containers get no address, or a wrong one",
    needs: ["underlay-missing"],
    within: "30 s",
    remedy: "make its directory writable, or name another one with --subnet-file",
  },
  "ipsec-keys": {
    severity: "high",
    means: "ipsec.json cannot be read or written: keys stay as they are, and peers stop hearing this host",
    needs: [],
    within: "30 s",
    remedy: "make --state-dir writable, with room in it",
  },
  "option-ignored": {
    severity: "warning",
    means: "an option of the network config that this version leaves out",
    needs: [],
    within: "2 s after the store says so",
    remedy: "flan config set Backend.OPTION null, or a version that knows it",
  },
  ...doctorCodes,
} as const satisfies Record<string, CodeFacts>;

export type HealthCode = keyof typeof healthCodes;

/** What is known of a code. */
export function factsOf(code: HealthCode): CodeFacts {
  return healthCodes[code];
}

/** The code of `present` that `code` follows from, or undefined where none is there. */
export function causeOf(code: HealthCode, present: ReadonlySet<HealthCode>): HealthCode | undefined {
  return (factsOf(code).needs as readonly HealthCode[]).find((one) => present.has(one));
}
