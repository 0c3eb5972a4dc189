/** What the manual page tells beside the commands: which files there are, and how flan is used. */

export const files: readonly (readonly [path: string, text: string])[] = [
  ["/etc/flan/config.yaml", "settings by the name of their flag; config.json does as well"],
  ["/var/lib/flan/network.json", "the default store, with its .lock and .backup"],
  ["/var/lib/flan/host.json", "this host's identity, the MACs of its devices and its last subnet"],
  ["/run/flan/subnet.env", "the host's subnet and MTU for CNI plugins and Docker"],
  ["/run/flannel/subnet.env", "a copy for flannel's consumers, if nobody else has one"],
  ["/run/flan/joined.json", "what the host has joined with"],
  ["/run/flan/agent.log", "the log of an agent in the background"],
];

export const examples: readonly (readonly [text: string, lines: readonly string[]])[] = [
  ["What a join would do, and the join:", [
    "flan up --backend vxlan --dry-run",
    "flan up --backend vxlan --detach",
  ]],
  ["Together with flannel's hosts, on their etcd:", [
    "flan up --store etcd://10.0.0.1:2379,10.0.0.2:2379/coreos.com/network",
  ]],
  ["In a script:", ["SUBNET=$(flan lease get -o value=subnet)", "flan status --wait --timeout 60"]],
  ["What is wrong, and leaving:", ["flan status", "flan routes diff", "flan down"]],
];
