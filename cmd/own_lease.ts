/** The own lease on stdout: what `up`, `lease acquire`, `lease renew` and `lease get` answer. */
import type { ownLease } from "../agent/status.ts";
import type { Json } from "../net/json.ts";
import { type Format, print, printJson, table, valueOf } from "./output.ts";

type Document = Readonly<Record<string, Json>>;

/** The fields of the document, for {@link requireField}. */
const fields: readonly (keyof ReturnType<typeof ownLease>)[] = [
  "subnet",
  "publicIp",
  "backend",
  "backendData",
  "node",
  "own",
  "reservation",
  "expires",
  "revision",
  "gateway",
  "network",
  "device",
  "mtu",
  "ipMasq",
];

/** Refuses `-o value=FIELD` for a field there is not, before anything is done. Throws `invalid`. */
export function requireField(format: Format): void {
  if (format.kind === "value") valueOf(Object.fromEntries(fields.map((name) => [name, null])), format.field);
}

/** Prints the document in the format asked for; `env` has the keys of subnet.env. */
export function printOwnLease(format: Format, lease: Document): void {
  switch (format.kind) {
    case "json":
      return printJson("lease", lease);
    case "value":
      return print(valueOf(lease, format.field));
    case "env":
      return print([
        `FLANNEL_NETWORK=${lease["network"]}`,
        `FLANNEL_SUBNET=${lease["gateway"]}`,
        `FLANNEL_MTU=${lease["mtu"]}`,
        `FLANNEL_IPMASQ=${lease["ipMasq"]}`,
      ].join("\n"));
    default: {
      const names = ["subnet", "network", "publicIp", "backend", "device", "mtu", "expires"];
      const cells = names.map((name) => String(lease[name] ?? "-"));
      print(table(names.map((name) => name.toUpperCase().replace("PUBLICIP", "PUBLIC-IP")), [cells]));
    }
  }
}
