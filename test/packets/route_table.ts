/** The C library's route table, and the slow one that it is compared with. */
import { build } from "../../tasks/build.ts";

const { path } = await build("test");

const opened = Deno.dlopen(path, {
  shim_table: { parameters: ["buffer", "u32", "buffer", "buffer", "u32"], result: "i32" },
  /** int table_change(…, const struct table *, put, uint32_t, removed, uint32_t) */
  table_change: { parameters: ["buffer", "pointer", "buffer", "u32", "buffer", "u32"], result: "i32" },
  table_free: { parameters: ["pointer"], result: "void" },
  shim_find: { parameters: ["pointer", "buffer", "u32", "buffer", "buffer"], result: "void" },
  shim_owns: { parameters: ["pointer", "buffer"], result: "bool" },
  shim_routes: { parameters: ["pointer", "buffer", "u32"], result: "u32" },
}).symbols;

/** Addresses as numbers: 10.0.0.0 is 0x0a000000. */
export interface Route {
  readonly destination: number;
  readonly length: number;
  readonly remote: number;
  readonly port: number;
}

export interface Settings {
  readonly subnet: number;
  readonly length: number;
}

export type Hop = readonly [remote: number, port: number] | undefined;

/**
 * Where the numbers stand in the 16 bytes of an address: all tests are run for IPv4, and for IPv6 with other bytes before
 * and behind the number.
 */
export interface Place {
  readonly family: 4 | 6;
  /** The first of the number's four bytes. */
  readonly at: number;
}

export const places: readonly Place[] = [
  { family: 4, at: 0 },
  { family: 6, at: 0 },
  { family: 6, at: 5 },
  { family: 6, at: 12 },
];

const before = Uint8Array.of(0xfd, 0, 0x5a, 0xa5, 1, 2, 3, 4, 0xff, 0xff, 0, 9);

function place(bytes: Uint8Array, number: number, { at }: Place): void {
  bytes.set(before.subarray(0, at));
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, number);
}

function number(bytes: Uint8Array, { at }: Place): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

const ROUTE = 36;

/** struct flan_route */
function routeBytes(routes: readonly Route[], where: Place): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(routes.length * ROUTE);
  const view = new DataView(bytes.buffer);
  routes.forEach(({ destination, length, remote, port }, i) => {
    place(bytes.subarray(ROUTE * i, ROUTE * i + 16), destination, where);
    place(bytes.subarray(ROUTE * i + 16, ROUTE * i + 32), remote, where);
    view.setUint16(ROUTE * i + 32, port, true);
    view.setUint8(ROUTE * i + 34, 8 * where.at + length);
  });
  return bytes;
}

/** struct flan_settings */
function settingsBytes({ subnet, length }: Settings, where: Place): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(40);
  place(bytes.subarray(16, 32), subnet, where);
  new DataView(bytes.buffer).setUint32(32, 8 * where.at + length, true);
  return bytes;
}

/** `using`: it is freed at the end of its block. */
export class Table {
  private constructor(private readonly pointer: Deno.PointerValue, private readonly where: Place) {}

  /** The errno where it is refused. */
  static make(where: Place, routes: readonly Route[], settings?: Settings): Table | number {
    const made = new BigUint64Array(1);
    const failed = opened.shim_table(
      made,
      where.family,
      settings === undefined ? null : settingsBytes(settings, where),
      routeBytes(routes, where),
      routes.length,
    );
    return failed === 0 ? new Table(Deno.UnsafePointer.create(made[0]!), where) : -failed;
  }

  change(put: readonly Route[], removed: readonly Route[]): Table | number {
    const made = new BigUint64Array(1);
    const failed = opened.table_change(
      made,
      this.pointer,
      routeBytes(put, this.where),
      put.length,
      routeBytes(removed, this.where),
      removed.length,
    );
    return failed === 0 ? new Table(Deno.UnsafePointer.create(made[0]!), this.where) : -failed;
  }

  /** Looks up addresses of which the bytes behind the number are `behind`. */
  find(addresses: readonly number[], behind = 0): Hop[] {
    const wanted = new Uint8Array(16 * addresses.length).fill(this.where.family === 6 ? behind : 0);
    addresses.forEach((one, i) => place(wanted.subarray(16 * i, 16 * i + 16), one, this.where));
    const remotes = new Uint8Array(16 * addresses.length);
    const ports = new Uint16Array(addresses.length);
    opened.shim_find(this.pointer, wanted, addresses.length, remotes, ports);
    return addresses.map((_, i) =>
      ports[i] === 0 ? undefined : [number(remotes.subarray(16 * i), this.where), ports[i]!]
    );
  }

  owns(address: number): boolean {
    const bytes = new Uint8Array(16);
    place(bytes, address, this.where);
    return opened.shim_owns(this.pointer, bytes);
  }

  /** By length, then destination. */
  routes(): Route[] {
    const bytes = new Uint8Array(ROUTE * opened.shim_routes(this.pointer, new Uint8Array(1), 0));
    const count = opened.shim_routes(this.pointer, bytes, bytes.length / ROUTE);
    const view = new DataView(bytes.buffer);
    return Array.from({ length: count }, (_, i) => ({
      destination: number(bytes.subarray(ROUTE * i), this.where),
      remote: number(bytes.subarray(ROUTE * i + 16), this.where),
      port: view.getUint16(ROUTE * i + 32, true),
      length: view.getUint8(ROUTE * i + 34) - 8 * this.where.at,
    }));
  }

  [Symbol.dispose](): void {
    opened.table_free(this.pointer);
  }
}

/** The mask of a prefix length. */
export const maskOf = (length: number): number => length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;

/** Longest prefix match by looking at every route; of one prefix the last counts. */
export function linearFind(routes: readonly Route[], address: number): Hop {
  let best: Route | undefined;
  for (const route of routes) {
    if ((address & maskOf(route.length)) >>> 0 !== route.destination) continue;
    if (best === undefined || route.length >= best.length) best = route;
  }
  return best === undefined ? undefined : [best.remote, best.port];
}
