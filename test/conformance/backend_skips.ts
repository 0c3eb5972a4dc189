/**
 * Where a backend is not tested, and why: the one table of that, for the backend suite on either kernel and for packets
 * between hosts. What runs is noted by the test files; whatever a file does not run has to stand here, so that no
 * backend is left out by mistake.
 */
import assert from "node:assert/strict";
import { type BackendType, backendTypes } from "../../backends/types.ts";
import { familiesOf } from "../../lease/stack.ts";
import type { BackendSuite } from "./stage.ts";

export const stackNames = ["IPv4", "IPv6", "dual stack"] as const;
export type StackName = (typeof stackNames)[number];
export type Ground = "in memory" | "object by object" | "on Linux" | "with packets";

type Reasons = Readonly<Partial<Record<StackName | "any", string>>>;

const inMemory: Readonly<Partial<Record<BackendType, Reasons>>> = {
  ipip: {
    IPv6: "it carries IPv4 only, which check says",
    "dual stack": "it carries IPv4 only, which check says",
  },
  ipsec: {
    IPv6: "it carries IPv4 only, which check says",
    "dual stack": "it carries IPv4 only, which check says",
  },
  alloc: { any: "it makes nothing that a kernel could hold; test/backends/alloc_test.ts plans it" },
};

const skips: Readonly<Record<Ground, Readonly<Partial<Record<BackendType, Reasons>>>>> = {
  "in memory": inMemory,
  "object by object": inMemory,
  "on Linux": {
    udp: { any: "it is a process beside the kernel: test/netns/udp_*_test.ts and repair_test.ts run that" },
    ipip: {
      IPv4: "not every kernel has it: test/vm/ipip_test.ts runs the suite on Debian's",
      any: "it carries IPv4 only, which check says",
    },
    wireguard: {
      IPv4: "not every kernel has it: test/vm/wireguard_test.ts runs the suite on Debian's",
      any: "not every kernel has it, and on Debian's, which is slow, the suite runs with IPv4 alone",
    },
    ipsec: {
      IPv4: "not every kernel has ESP: test/vm/ipsec_test.ts runs the suite on Debian's",
      any: "it carries IPv4 only, which check says",
    },
    alloc: { any: "it makes nothing that a kernel could hold" },
    extension: { any: "its commands are the network's own: test/netns/extension_test.ts runs some" },
  },
  "with packets": {
    ipsec: {
      IPv4: "not every kernel has ESP: test/vm/ipsec_test.ts sends them on Debian's",
      any: "it carries IPv4 only, which check says",
    },
    ipip: {
      IPv4: "not every kernel has it: test/vm/ipip_test.ts sends them on Debian's",
      any: "it carries IPv4 only, which check says",
    },
    alloc: { any: "it carries none: others do, over what the leases say" },
    extension: { any: "its commands carry them: test/netns/extension_test.ts has some that do" },
  },
};

/** Every backend and family for which a test was registered by this file. */
const registered = new Set<string>();
/** The same of the cases about every single object. */
const registeredObjects = new Set<string>();

/** Notes that the suite runs for this backend, in a network of its families. */
export function noteSuite(suite: Pick<BackendSuite, "backend" | "view">): void {
  registered.add(nameOf(suite));
}

/** Notes that the cases about every single object run for it. */
export function noteObjects(suite: Pick<BackendSuite, "backend" | "view">): void {
  registeredObjects.add(nameOf(suite));
}

function nameOf({ backend, view }: Pick<BackendSuite, "backend" | "view">): string {
  const families = familiesOf(view([]).network);
  return `${backend.type} ${families.length === 2 ? "dual stack" : `IPv${families[0]!}`}`;
}

/** Notes that this backend is tested in a network of these families. */
export function noteRun(type: string, stack: StackName): void {
  registered.add(`${type} ${stack}`);
}

/**
 * Registers a test that every backend of the registry is tested on this ground with every family, or has its reason in
 * the table; and each of those that are not as a test that is skipped, with the reason in its name. To be called last.
 */
export function nobodyIsLeftOut(ground: Ground): void {
  const missing: string[] = [];
  const there = ground === "object by object" ? registeredObjects : registered;
  for (const type of backendTypes) {
    for (const stack of stackNames) {
      const what = `${type} ${stack}`;
      if (there.has(what)) continue;
      const reasons = skips[ground][type];
      const reason = reasons?.[stack] ?? reasons?.any;
      if (reason === undefined) missing.push(what);
      else Deno.test({ name: `${type} with ${stack} ${ground} (skipped: ${reason})`, ignore: true, fn() {} });
    }
  }
  Deno.test(`every backend is tested ${ground} with every family, or the table says why not`, () => {
    assert.deepEqual(missing, []);
  });
}
