/** What a host's other programs read of flan: systemd, udev, systemd-networkd and iproute2. The texts are in `systemd/`. */
import type { FileEntry } from "./entry.ts";
import { rootFolder } from "../../net/own_files.ts";

/** Stands in the units for the folder of the `flan` that they start. */
const BINDIR = "@BINDIR@";

/** Where each file goes. All but iproute2 look below /usr/local, too (file-hierarchy(7)). */
const places: Readonly<Record<string, (prefix: string) => string>> = {
  "flan.service": (prefix) => `${prefix}/lib/systemd/system/flan.service`,
  "flan-wait-online.service": (prefix) => `${prefix}/lib/systemd/system/flan-wait-online.service`,
  "flan-online.target": (prefix) => `${prefix}/lib/systemd/system/flan-online.target`,
  "50-flan.link": (prefix) => `${prefix}/lib/systemd/network/50-flan.link`,
  "50-flan.network": (prefix) => `${prefix}/lib/systemd/network/50-flan.network`,
  "rt_protos.conf": () => "/etc/iproute2/rt_protos.d/flan.conf",
};

/** The files, for a flan in `<prefix>/bin`. */
export function systemFiles(prefix: string): FileEntry[] {
  return Object.entries(places).map(([name, placeIn]) => ({
    kind: "file",
    path: placeIn(prefix),
    mode: 0o644,
    content: Deno.readTextFileSync(`${rootFolder}systemd/${name}`).replaceAll(BINDIR, `${prefix}/bin`),
  }));
}
