/** The C library's route table, and the slow one that it is compared with. */
import { build } from "../../tasks/build.ts";

const { path } = await build("test");

const opened = Deno.dlopen(path, {
  /** int table_make(struct table **, const struct flan_settings *, const struct flan_route *, uint32_t) */
  table_make: { parameters: ["buffer", "buffer", "buffer", "u32"], result: "i32" },
  /** int table_change(…, const struct table *, put, uint32_t, removed, uint32_t) */
  table_change: { parameters: ["buffer", "pointer", "buffer", "u32", "buffer", "u32"], result: "i32" },
  table_free: { parameters: ["pointer"], result: "void" },
  shim_find: { parameters: ["pointer", "buffer", "u32", "buffer", "buffer"], result: "void" },
  shim_owns: { parameters: ["pointer", "u32"], result: "bool" },
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

/** struct flan_route, with addresses in network byte order. */
function routeBytes(routes: readonly Route[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(routes.length * 12);
  const view = new DataView(bytes.buffer);
  routes.forEach(({ destination, length, remote, port }, i) => {
    view.setUint32(12 * i, destination);
    view.setUint32(12 * i + 4, remote);
    view.setUint16(12 * i + 8, port, true);
    view.setUint8(12 * i + 10, length);
  });
  return bytes;
}

function settingsBytes({ subnet, length }: Settings): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, subnet);
  view.setUint32(8, length, true);
  return bytes;
}

/** A number whose bytes in memory are those of the address on the wire. */
const swapped = (address: number) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, address);
  return view.getUint32(0, true);
};

/** `using`: it is freed at the end of its block. */
export class Table {
  private constructor(private readonly pointer: Deno.PointerValue) {}

  /** The errno where it is refused. */
  static make(routes: readonly Route[], settings?: Settings): Table | number {
    const made = new BigUint64Array(1);
    const failed = opened.table_make(
      made,
      settings === undefined ? null : settingsBytes(settings),
      routeBytes(routes),
      routes.length,
    );
    return failed === 0 ? new Table(Deno.UnsafePointer.create(made[0]!)) : -failed;
  }

  change(put: readonly Route[], removed: readonly Route[]): Table | number {
    const made = new BigUint64Array(1);
    const failed = opened.table_change(
      made,
      this.pointer,
      routeBytes(put),
      put.length,
      routeBytes(removed),
      removed.length,
    );
    return failed === 0 ? new Table(Deno.UnsafePointer.create(made[0]!)) : -failed;
  }

  find(addresses: readonly number[]): Hop[] {
    const wanted = new Uint32Array(addresses.map(swapped));
    const remotes = new Uint32Array(addresses.length);
    const ports = new Uint16Array(addresses.length);
    opened.shim_find(this.pointer, wanted, addresses.length, remotes, ports);
    return [...remotes].map((remote, i) => ports[i] === 0 ? undefined : [swapped(remote), ports[i]!]);
  }

  owns(address: number): boolean {
    return opened.shim_owns(this.pointer, swapped(address));
  }

  /** By length, then destination. */
  routes(): Route[] {
    const bytes = new Uint8Array(12 * opened.shim_routes(this.pointer, new Uint8Array(1), 0));
    const count = opened.shim_routes(this.pointer, bytes, bytes.length / 12);
    const view = new DataView(bytes.buffer);
    return Array.from({ length: count }, (_, i) => ({
      destination: view.getUint32(12 * i),
      remote: view.getUint32(12 * i + 4),
      port: view.getUint16(12 * i + 8, true),
      length: view.getUint8(12 * i + 10),
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
