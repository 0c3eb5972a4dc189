/** What the links that a watch is about were like last: the kernel announces them again and again, changed or not. */
import type { KernelEvent } from "../kernel/kernel.ts";
import type { KernelObject } from "../kernel/state.ts";

interface Seen {
  readonly event: Pick<KernelEvent, "mtu" | "up" | "linkMac" | "details">;
  /** Whether it was not there before, and has not been up since. */
  readonly isComing: boolean;
}

export class LinkMemory {
  readonly #seen = new Map<string, Seen>();

  /** `objects` are those that are there when the watch begins; their details are not known. */
  constructor(objects: readonly KernelObject[]) {
    for (const one of objects) {
      if (one.kind !== "link") continue;
      const event = { mtu: one.mtu, up: one.up, linkMac: one.mac };
      this.#seen.set(one.name, { event, isComing: false });
    }
  }

  /**
   * What the event says of a link: `same` where it is as it was, `coming` where it was made since and has not been up
   * yet, for all links are down at first, and else `changed`, as whatever is about no link.
   */
  take(event: KernelEvent): "same" | "coming" | "changed" {
    const { group, action, link, former, up } = event;
    if (group !== "link" || link === undefined) return "changed";
    const before = this.#seen.get(former ?? link);
    if (former !== undefined) this.#seen.delete(former);
    if (action === "delete") {
      this.#seen.delete(link);
      return "changed";
    }
    const isComing = up === false && (before === undefined || before.isComing);
    this.#seen.set(link, { event, isComing });
    if (isComing) return "coming";
    const isSame = before !== undefined && former === undefined && isAlike(before.event, event);
    return isSame ? "same" : "changed";
  }
}

function isAlike(before: Seen["event"], now: Seen["event"]): boolean {
  return before.mtu === now.mtu && before.up === now.up && before.linkMac === now.linkMac &&
    (before.details === undefined || before.details === now.details);
}
