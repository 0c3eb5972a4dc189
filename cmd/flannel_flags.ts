/** What of flan's does the work of flanneld's flags, for whoever types one of those. */

const instead: Readonly<Record<string, string>> = {
  "etcd-endpoints": "--store etcd://HOST:2379,HOST:2379/PREFIX names endpoints and prefix",
  "etcd-prefix": "--store etcd://HOST:2379,HOST:2379/PREFIX names endpoints and prefix",
  "etcd-cafile": "it is --store-ca, with --store etcds://…",
  "etcd-certfile": "it is --store-cert, with --store etcds://…",
  "etcd-keyfile": "it is --store-key, with --store etcds://…",
  "etcd-username": "it is --store-user",
  "etcd-password": "it is --store-password-file, for a flag can be seen by everybody on the host",
  "iface-regex": "it is --iface regex:PATTERN",
  "iface-can-reach": "it is --iface can-reach:ADDRESS",
  "public-ipv6": "it is --public-ip6",
  "ip-masq": "it is --ip-masq alone; what a config file switches on, FLAN_IP_MASQ=false switches off",
  "iptables-forward-rules": "--no-forward-rules leaves them out",
  "healthz-ip": "it is --listen ADDRESS:PORT, with /livez and /readyz",
  "healthz-port": "it is --listen ADDRESS:PORT, with /livez and /readyz",
  "subnet-lease-renew-margin": "leases are renewed in time by themselves; --lease-ttl says how long they are",
};

/** A hint for an option that flan does not know, as it was typed (`-iface-regex`, `--ip-masq=false`), or undefined. */
export function flannelHint(option: string): string | undefined {
  const [, negated, name = ""] = /^--?(no-)?([a-z0-9-]+)(?:=|$)/.exec(option) ?? [];
  if (negated !== undefined && name !== "ip-masq") return undefined;
  return Object.hasOwn(instead, name) ? instead[name] : undefined;
}
