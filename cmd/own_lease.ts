/** The own lease on stdout: what `up`, `lease acquire`, `lease renew` and `lease get` answer. */
import type { ownLease } from "../agent/status.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { type Format, print, printJson, printList, valueOf } from "./output.ts";

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
  "subnet6",
  "publicIp6",
  "gateway",
  "gateway6",
  "network",
  "network6",
  "device",
  "device6",
  "mtu",
  "ipMasq",
];

/** Refuses `-o value=FIELD` for a field there is not, before anything is done. Throws `invalid`. */
export function requireField(format: Format): void {
  if (format.kind === "value") valueOf(Object.fromEntries(fields.map((name) => [name, null])), format.field);
}

/** For a host that asks about itself and holds no lease. */
export function noLease(store: string): FlanError {
  return new FlanError(`This host has no lease in ${store}`, { op: "lease", code: "no" });
}

/** Prints the document in the format asked for; `env` has the keys of subnet.env. */
export function printOwnLease(format: Format, lease: Document, header = false): void {
  switch (format.kind) {
    case "json":
      return printJson("lease", lease);
    case "value":
      return print(valueOf(lease, format.field));
    case "env":
      return print([
        ...familyLines(lease),
        `FLANNEL_MTU=${lease["mtu"]}`,
        `FLANNEL_IPMASQ=${lease["ipMasq"]}`,
      ].join("\n"));
    default: {
      const column = (name: keyof ReturnType<typeof ownLease>) => ({
        name: name.toUpperCase().replace("PUBLICIP", "PUBLIC-IP"),
        cell: (one: Document) =>
          name === "expires" && one["reservation"] === true ? "reserved" : text(one[name]),
      });
      const names = ["subnet", "network", "publicIp", "backend", "device", "mtu", "expires"] as const;
      const epoch = { name: "EXPIRES", cell: (one: Document) => seconds(one["expires"]) };
      printList(format, {
        schema: "lease",
        items: format.kind === "tsv" ? [lease] : rowsOf(lease),
        columns: names.map(column),
        tsv: [...names.slice(0, -1).map(column), epoch, column("node")],
        json: (one) => one,
        empty: "",
      }, header);
    }
  }
}

/** A person sees the IPv6 half in a row of its own, as in the other tables. */
export function rowsOf(lease: Document): Document[] {
  const { subnet6, network6, publicIp6, device6 } = lease;
  if (subnet6 === undefined) return [lease];
  const second = { subnet: subnet6, network: network6, publicIp: publicIp6, device: device6 };
  return [lease, { ...lease, ...second } as Document];
}

/** As in subnet.env; see `agent/subnet_env.ts`. */
function familyLines({ network, gateway, network6, gateway6 }: Document): string[] {
  const lines = (of: Json | undefined, at: Json | undefined) => {
    const name = String(of).includes(":") ? "FLANNEL_IPV6" : "FLANNEL";
    return [`${name}_NETWORK=${of}`, `${name}_SUBNET=${at}`];
  };
  return [...lines(network, gateway), ...(gateway6 === undefined ? [] : lines(network6, gateway6))];
}

function text(value: Json | undefined): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

function seconds(time: Json | undefined): number | undefined {
  return typeof time === "string" ? Math.floor(Date.parse(time) / 1000) : undefined;
}
