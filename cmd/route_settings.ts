/** The settings of `up` that shape the plan, for the commands that hold the kernel against it. */
import type { SettingKey } from "./settings.ts";

export const routeSettings: readonly SettingKey[] = [
  "iface",
  "publicIp",
  "publicIp6",
  "mtu",
  "txChecksum",
  "ipMasq",
  "noMasq",
  "noForwardRules",
];
