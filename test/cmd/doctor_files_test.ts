/** What the doctor reads of systemd's files and of the sockets: what cannot be read is said, and stops nothing. */
import assert from "node:assert/strict";
import { lookAtNetworkd, lookAtUdp } from "../../cmd/doctor/file_facts.ts";
import { type System, thisSystem } from "../../cmd/doctor/system.ts";
import { diagnose } from "../../doctor/diagnose.ts";
import { factsOf } from "../doctor/facts.ts";

/** A system of these files, by their directory and name; the real one reads those that are bytes. */
function systemOf(files: Readonly<Record<string, string | Uint8Array<ArrayBuffer> | Error>>): System {
  return {
    ...thisSystem(false),
    names: (directory) =>
      Object.keys(files).filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1)),
    text(path) {
      const file = files[path];
      if (file instanceof Error) throw file;
      if (!(file instanceof Uint8Array)) return file;
      const place = Deno.makeTempFileSync();
      try {
        Deno.writeFileSync(place, file);
        return thisSystem(false).text(place);
      } finally {
        Deno.removeSync(place);
      }
    },
  };
}

const DIRECTORY = "/run/systemd/network";
const MANAGED = "[Match]\nName=*\n[Network]\nDHCP=yes\n";
const denied = new Deno.errors.PermissionDenied(`Permission denied (os error 13): open '${DIRECTORY}/x'`);

/** What the doctor makes of files whose networkd runs. */
function judged(files: Parameters<typeof systemOf>[0]) {
  const networkd = lookAtNetworkd(systemOf({ "/run/systemd/netif/state": "", ...files }));
  const { checks, findings } = diagnose(factsOf({ networkd }));
  const { state, unseen } = checks.find(({ name }) => name === "systemd-networkd")!;
  return { state, unseen, codes: findings.map(({ code }) => code) };
}

const unreadable: readonly [name: string, file: Uint8Array<ArrayBuffer> | Error, why: string][] = [
  ["that only root may read", denied, "Permission denied (os error 13)"],
  ["that is not UTF-8", new Uint8Array([0xff, 0xfe]), "it is not UTF-8 text"],
  ["that is too large", new Uint8Array((1 << 20) + 1), "it is larger than 1048576 bytes"],
];

for (const [name, file, why] of unreadable) {
  Deno.test(`networkd: a file ${name} is said to be unseen`, () => {
    const unseen = `${DIRECTORY}/10-a.network cannot be read: ${why}`;
    const files = { [`${DIRECTORY}/10-a.network`]: file };
    assert.deepEqual(judged(files), { state: "unseen", unseen, codes: [] });
    const later = { ...files, [`${DIRECTORY}/20-b.network`]: MANAGED };
    assert.deepEqual(judged(later), { state: "unseen", unseen, codes: [] }, "it may be the one that counts");
    const earlier = { ...files, [`${DIRECTORY}/00-b.network`]: MANAGED };
    assert.deepEqual(judged(earlier), { state: "warning", unseen: undefined, codes: ["networkd-routes"] });
    const link = {
      ...files,
      [`${DIRECTORY}/a.link`]: "[Match]\nName=x\n[Link]\nMACAddress=02:00:00:00:00:01\n",
    };
    assert.equal(judged(link).unseen, unseen);
  });
}

Deno.test("networkd: a defect of flan is not taken for a file that cannot be read", () => {
  assert.throws(() => judged({ [`${DIRECTORY}/a.network`]: new RangeError("wrong") }), /wrong/);
});

Deno.test("sockets: one of IPv6 holds the port where it takes packets of IPv4 as well", () => {
  const line = (address: string, rest = "07 0:0 0:0 0 0 0 77 2 0000 0") => ` 1: ${address}:2118 0:0 ${rest}`;
  const zero = "0".repeat(24);
  const found = (udp: string, udp6: string) =>
    lookAtUdp(systemOf({ "/proc/net/udp": udp, "/proc/net/udp6": udp6 }), [8472]).map((one) => one.address);
  assert.deepEqual(found("", line(`${zero}00000000`)), ["::"]);
  assert.deepEqual(found("", line("0000000000000000FFFF0000010200C0")), ["192.0.2.1"]);
  assert.deepEqual(found("", line(`B80D0120${zero}`)), [], "an address of IPv6 alone");
  assert.deepEqual(found(line("00000000"), line(`${zero}00000000`)), ["0.0.0.0", "::"]);
  assert.deepEqual(lookAtUdp(systemOf({}), [8472]), [], "a host without IPv6, or without /proc");
});
