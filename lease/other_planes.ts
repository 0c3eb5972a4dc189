/**
 * By what else than its lease's backend a host can be reached while the network moves from one backend to another: flan's
 * own word beside flannel's lease, which has room for one. Pure.
 */
import type { Json } from "../net/json.ts";
import { isBounded, isObject } from "./go_json.ts";

/** A data plane that a host has beside the one that its lease announces. */
export interface OtherPlane {
  /** As in a lease: flannel's canonical name, "" for udp. */
  readonly backendType: string;
  readonly backendData: Json | undefined;
  /** The same of the IPv6 half of a dual-stack lease. */
  readonly backendV6Data?: Json;
  /** Whether the host still sends to somebody by it, who must not take it down as long. */
  readonly sends: boolean;
  /** The store's revision up to which the host has taken in what all leases say, told to those who ask. */
  readonly heard?: number;
  /** The revision that its peers are to take in before it sends to them by what they must know its nonce for. */
  readonly asks?: number;
}

/** A network that is changed again and again has no host with more. */
const MOST = 4;
/** Each is as small as what a lease holds, and none may make a lease too large for a store. */
const BOUNDS = { limit: 4096, depth: 8 };

/** A lease, as far as it says what its host has beside what it announces. */
interface Saying {
  readonly otherPlanes?: readonly OtherPlane[];
}

/** The revision up to which the lease's holder says that it has taken in all leases, 0 where it says none. */
export function heardBy({ otherPlanes = [] }: Saying): number {
  return Math.max(0, ...otherPlanes.map(({ heard = 0 }) => heard));
}

/** The revision that the lease's holder asks its peers to take in, 0 where it asks for none. */
export function askedBy({ otherPlanes = [] }: Saying): number {
  return Math.max(0, ...otherPlanes.map(({ asks = 0 }) => asks));
}

/** As a store keeps them; undefined for none. */
export function encodeOtherPlanes(planes: readonly OtherPlane[] | undefined): Json | undefined {
  if (planes === undefined || planes.length === 0) return undefined;
  return planes.map(({ backendType, backendData, backendV6Data, sends, heard, asks }) => ({
    type: backendType,
    ...(backendData === undefined ? {} : { data: backendData }),
    ...(backendV6Data === undefined ? {} : { data6: backendV6Data }),
    sends,
    ...(heard === undefined ? {} : { heard }),
    ...(asks === undefined ? {} : { asks }),
  }));
}

/** Reads what a store holds; undefined for none. What is odd in it is left out: it hides no lease. */
export function readOtherPlanes(value: Json | undefined): readonly OtherPlane[] | undefined {
  if (!Array.isArray(value) || !isBounded(value, BOUNDS)) return undefined;
  const planes = value.slice(0, MOST).flatMap((one: Json): OtherPlane[] => {
    if (!isObject(one) || typeof one.type !== "string" || !/^[\w.-]{0,32}$/.test(one.type)) return [];
    const { type, data, data6, sends, heard, asks } = one;
    return [{
      backendType: type,
      backendData: data,
      ...(data6 === undefined ? {} : { backendV6Data: data6 }),
      sends: sends === true,
      ...(isRevision(heard) ? { heard } : {}),
      ...(isRevision(asks) ? { asks } : {}),
    }];
  });
  return planes.length === 0 ? undefined : planes;
}

function isRevision(value: Json | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
