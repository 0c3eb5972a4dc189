/** What systemd's udev and networkd would do to flan's device (systemd.link(5), systemd.network(5)). */
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import { readUnit, type Sections } from "../unit_file.ts";
import type { NetworkdFacts, NetworkFacts, Seen, UnitFile } from "../facts.ts";

export const networkd: Check = {
  name: "systemd-networkd",
  judge({ network, networkd }) {
    if ("unseen" in network) return { found: [], unseen: network.unseen };
    const { devices, planned } = network.seen;
    const judged = devices.flatMap((device) => {
      const { linkFile, networkFile } = filesFor(device, { planned, networkd });
      return [
        looked([linkFile], (file) => judgeLink(file, device)),
        looked([networkFile], (file) => judgeNetwork(file, device)),
      ];
    });
    return {
      found: judged.flatMap(({ found }) => found),
      unseen: judged.find(({ unseen }) => unseen !== undefined)?.unseen,
    };
  },
};

interface Matching {
  readonly path: string;
  readonly sections: Sections;
}

/** The files that systemd takes for a device of flan's. */
function filesFor(
  device: string,
  { planned, networkd }: Pick<NetworkFacts, "planned"> & { networkd: NetworkdFacts },
): { linkFile: Seen<Matching | undefined>; networkFile: Seen<Matching | undefined> } {
  const { isRunning, linkFiles, networkFiles } = networkd;
  const link = planned.find((one) => one.kind === "link" && one.name === device);
  const wanted = { device, type: link?.kind === "link" ? link.type : "" };
  return {
    linkFile: firstThatMatches(linkFiles, wanted),
    networkFile: isRunning ? firstThatMatches(networkFiles, wanted) : { seen: undefined },
  };
}

function judgeLink(file: Matching | undefined, device: string): Diagnosis[] {
  const address = file?.sections.get("link", "MACAddress");
  return file === undefined || address === undefined ? [] : [diagnosis("mac-policy", {
    subject: file.path,
    message: `${file.path} gives link ${device} the MAC ${address}, which its peers do not know`,
  })];
}

function judgeNetwork(file: Matching | undefined, device: string): Diagnosis[] {
  return file === undefined || isUnmanaged(file.sections) ? [] : [diagnosis("networkd-routes", {
    subject: file.path,
    message:
      `${file.path} lets systemd-networkd manage link ${device}, whose addresses and routes it removes`,
  })];
}

function isUnmanaged(sections: Sections): boolean {
  return /^(1|yes|true|on)$/i.test(sections.get("link", "Unmanaged") ?? "");
}

/** Unseen where a file cannot be read before one matches: it may be the one that counts. */
function firstThatMatches(
  files: readonly UnitFile[],
  { device, type }: { device: string; type: string },
): Seen<Matching | undefined> {
  for (const { path, text } of files) {
    if ("unseen" in text) return { unseen: `${path} cannot be read: ${text.unseen}` };
    const sections = readUnit(text.seen);
    const criteria = sections.section("match");
    // A .link or .network file without criteria that flan knows is for others (a MAC, a bus, a driver).
    const known = [...criteria].filter(([key]) => ["OriginalName", "Name", "Kind"].includes(key));
    if (known.length === 0 || known.length < criteria.size) continue;
    if (known.every(([key, value]) => matches(value, key === "Kind" ? type : device))) {
      return { seen: { path, sections } };
    }
  }
  return { seen: undefined };
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
