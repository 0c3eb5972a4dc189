/** The way of a packet through this host: what is known of it, and what is said of it, hop by hop. */
import { familyOf } from "../../net/ip.ts";
import type { Change, RouteMatch, RouteQuery } from "../kernel.ts";
import type { Conflict, ObjectState } from "../drift.ts";
import type { KernelObject, Neighbour } from "../state.ts";

/** One hop. `skipped`: it cannot be judged, or is not there only because of what an earlier hop says. */
export interface Step {
  /** A stable word: `lease`, `link`, `route`, `neighbour`, `fdb`, `underlay`, `size`, … */
  readonly what: string;
  readonly text: string;
  readonly state: StepState;
  /** One clause: what is wrong, or what else there is to know. */
  readonly note?: string | undefined;
  /** The command that shows it. */
  readonly prove?: string | undefined;
  /** Commands that mend it, for a person to run. */
  readonly repair?: readonly string[] | undefined;
  /** Whether flan mends it itself. */
  readonly ours?: boolean;
}

export type StepState = ObjectState | "skipped";

/** What the kernel says to a question about a route. */
export type Lookup =
  | { readonly match: RouteMatch; readonly refused?: undefined }
  | { readonly match?: undefined; readonly refused: Refused };

interface Refused {
  /** The errno's name. */
  readonly errno: string;
  /** The system's words. */
  readonly reason: string;
}

export interface WayFacts {
  /** Where the packet goes. */
  readonly ip: string;
  /** What of the plan its way needs. */
  readonly wanted: readonly KernelObject[];
  /** Comparison of the whole plan with the kernel. */
  readonly state: ReadonlyMap<string, ObjectState>;
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** What is in the kernel. */
  readonly actual: readonly KernelObject[];
  /** What decides about the packet. */
  readonly lookup: Lookup;
  /** The MTU of the overlay's route that the kernel knows, or 0. */
  readonly mtu: number;
  /** Whether an agent runs that answers when the kernel asks for a neighbour. */
  readonly isAnswered: boolean;
  /** The command that starts this host's agent as it was. */
  readonly start: string;
  /** The packet's source where one was asked for. */
  readonly source?: SourceFacts | undefined;
  /** The link of this host's containers where their packets are not forwarded. */
  readonly cutOff?: string | undefined;
  readonly underlay: UnderlayFacts;
  /** Packets that come back, and how they come in. */
  readonly returns: readonly ReturnFacts[];
}

export interface SourceFacts {
  readonly address: string;
  /** `local`: this host's own; `subnet`: a container's; `stranger`: neither. */
  readonly kind: "local" | "subnet" | "stranger";
  /** The link by which a container's packets come in; undefined where no link has this host's subnet. */
  readonly link?: string | undefined;
  /** Whether that link is administratively down. */
  readonly isDown?: boolean;
  /** Whether packets that come in by it are not forwarded. */
  readonly isCutOff?: boolean;
  readonly query: RouteQuery;
  /** What decides about a packet from there. */
  readonly lookup: Lookup;
  readonly rpFilter: number;
}

export interface UnderlayFacts {
  /** The peer's address. */
  readonly remote: string;
  readonly link: string;
  /** What more was told of the tunnel's packets when the kernel was asked for their way. */
  readonly query: RouteQuery;
  readonly lookup: Lookup;
  /** The MTU of the underlay's route that the kernel knows, or 0. */
  readonly mtu: number;
  /** The entry of the next host on the way, where the kernel has one. */
  readonly neighbour: Neighbour | undefined;
}

export interface ReturnFacts {
  readonly source: string;
  readonly destination: string;
  readonly link: string;
  readonly lookup: Lookup;
  /** Whether the link is administratively down: then nothing comes in, whatever the look-up says. */
  readonly isDown?: boolean;
  /** The larger of the link's and the namespace's `rp_filter` (ip-sysctl.rst). */
  readonly rpFilter: number;
}

/** How the MAC of an address's host is asked for (RFC 826, RFC 4861). */
export function resolution(ip: string): string {
  return familyOf(ip) === 4 ? "ARP" : "neighbour discovery";
}

/** What `ip route get` asks the kernel for the entry that decides. */
export function lookupCommand(destination: string, query: RouteQuery = {}): string {
  return routeGet(`fibmatch ${destination}`, query);
}

/** And for the way that follows from it, with the path MTU. */
export function answerCommand(destination: string, query: RouteQuery): string {
  return routeGet(destination, query);
}

function routeGet(destination: string, { source, incoming, outgoing }: RouteQuery): string {
  return [
    `ip route get ${destination}`,
    source === undefined ? "" : ` from ${source}`,
    incoming === undefined ? "" : ` iif ${incoming}`,
    outgoing === undefined ? "" : ` oif ${outgoing}`,
  ].join("");
}

/** Whether the kernel dropped a packet that came in because of where it came in. Linux 6.14 has one errno for all reasons. */
export function isFiltered({ errno }: Refused): boolean {
  return errno === "EXDEV" || errno === "EINVAL";
}
