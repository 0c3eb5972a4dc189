/** What systemd's udev and networkd would do to flan's device (systemd.link(5), systemd.network(5)). */
import { type Check, looked } from "../check.ts";
import { diagnosis } from "../diagnosis.ts";
import { readUnit, type Sections } from "../unit_file.ts";
import type { UnitFile } from "../facts.ts";

export const networkd: Check = {
  name: "systemd-networkd",
  judge({ network, networkd: { isRunning, linkFiles, networkFiles } }) {
    return looked([network], ({ device, planned }) => {
      if (device === "") return [];
      const kind = planned.find((one) => one.kind === "link" && one.name === device);
      const type = kind?.kind === "link" ? kind.type : "";
      const first = (files: readonly UnitFile[]) => firstThatMatches(files, { device, type });
      const link = first(linkFiles);
      const address = link?.sections.get("link", "MACAddress");
      const net = isRunning ? first(networkFiles) : undefined;
      return [
        ...(link === undefined || address === undefined ? [] : [diagnosis("mac-policy", {
          subject: link.path,
          message: `${link.path} gives link ${device} the MAC ${address}, which its peers do not know`,
        })]),
        ...(net === undefined || isUnmanaged(net.sections) ? [] : [diagnosis("networkd-routes", {
          subject: net.path,
          message:
            `${net.path} lets systemd-networkd manage link ${device}, whose addresses and routes it removes`,
        })]),
      ];
    });
  },
};

function isUnmanaged(sections: Sections): boolean {
  return /^(1|yes|true|on)$/i.test(sections.get("link", "Unmanaged") ?? "");
}

function firstThatMatches(
  files: readonly UnitFile[],
  { device, type }: { device: string; type: string },
): { path: string; sections: Sections } | undefined {
  for (const { path, text } of files) {
    const sections = readUnit(text);
    const criteria = sections.section("match");
    // A .link or .network file without criteria that flan knows is for others (a MAC, a bus, a driver).
    const known = [...criteria].filter(([key]) => ["OriginalName", "Name", "Kind"].includes(key));
    if (known.length === 0 || known.length < criteria.size) continue;
    if (known.every(([key, value]) => matches(value, key === "Kind" ? type : device))) {
      return { path, sections };
    }
  }
  return undefined;
}

/** Shell patterns, one of which must fit; with `!` before the first, none may. */
function matches(patterns: string, value: string): boolean {
  const not = patterns.startsWith("!");
  const words = (not ? patterns.slice(1) : patterns).split(/\s+/).filter(Boolean);
  return not !== words.some((word) => globToRegExp(word).test(value));
}

/** `*` and `?`; sets of characters stand for themselves, which no name of flan's needs. */
function globToRegExp(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}
