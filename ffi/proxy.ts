/** The data plane of the udp backend: the C library `ffi/proxy/`, its descriptors, and the thread that it runs on. */
import type { ProxySettings, ProxyWay } from "../kernel/state.ts";
import { KernelError } from "../net/errors.ts";
import { familyOf } from "../net/ip.ts";
import { errnoName, errnoText } from "./errno.ts";
import { closeFd, linkIndex } from "./libc.ts";
import { library } from "./open.ts";
import { encodeOptions, encodeQueues, encodeRoutes, encodeSettings } from "./proxy_structs.ts";
import { type Descriptors, openDescriptors } from "./proxy_descriptors.ts";
import { proxySymbols } from "./symbols/proxy.ts";
import { proxyLibraryFile, rootFolder } from "../net/own_files.ts";
import { placeOf } from "../net/place.ts";

/** The C library. Throws FlanError `unsupported` where it was not built. */
const proxyLibrary = library({
  name: "libflan_proxy",
  files: [rootFolder + proxyLibraryFile],
  symbols: proxySymbols,
  hint: "deno task build",
});

/** Throws FlanError `unsupported` where the C library cannot be opened. */
export function requireProxyLibrary(): void {
  proxyLibrary();
}

/** What makes it fast: enum flan_feature, in the order of its bits. */
export const proxyFeatures = [
  "tun-offload",
  "tun-uso",
  "udp-segment",
  "udp-gro",
  "join-tcp",
  "join-udp",
] as const;
export type ProxyFeature = (typeof proxyFeatures)[number];

export interface DataPlaneOptions {
  /** What is tried; all of it unless given. */
  readonly features?: readonly ProxyFeature[];
}

/**
 * Opens TUN queues and sockets, and carries packets from then on. Throws KernelError with the errno of what cannot be
 * opened, FlanError `unsupported` without the library; nothing stays open then.
 */
export function openProxy(
  settings: ProxySettings,
  routes: readonly ProxyWay[],
  { features: wanted = proxyFeatures }: DataPlaneOptions = {},
): OpenProxy {
  const { flan_proxy_open } = proxyLibrary();
  const descriptors = openDescriptors(settings);
  const handle = new BigUint64Array(1);
  const bits = proxyFeatures.reduce((sum, name, i) => wanted.includes(name) ? sum | 1 << i : sum, 0);
  const result = flan_proxy_open(
    encodeQueues(descriptors.queues),
    descriptors.queues.length,
    encodeOptions({ raw: descriptors.raw, features: bits, family: familyOf(settings.address) }),
    handle,
  );
  const pointer = result < 0 ? null : Deno.UnsafePointer.create(handle[0]!);
  if (pointer === null) {
    closeAll(descriptors);
    throw proxyError(
      `Cannot start the UDP proxy at ${placeOf({ hostname: settings.address, port: settings.port })}`,
      result,
    );
  }
  try {
    return new OpenProxy(pointer, { settings, descriptors, routes });
  } catch (error) {
    proxyLibrary().flan_proxy_close(pointer);
    closeAll(descriptors);
    throw error;
  }
}

/** What is counted, in the order of `ffi/proxy/counters.h`. */
export function counterNames(): string[] {
  const { flan_proxy_counter_name } = proxyLibrary();
  const names: string[] = [];
  for (;;) {
    const name = flan_proxy_counter_name(names.length);
    if (name === null) return names;
    names.push(new Deno.UnsafePointerView(name).getCString());
  }
}

/** One that carries packets. Methods return at once and throw KernelError. */
export class OpenProxy {
  /** Resolves when it carries nothing any more: to why, or to undefined after {@link close}. */
  readonly ended: Promise<KernelError | undefined>;
  readonly #pointer: Deno.PointerObject;
  readonly #descriptors: Descriptors;
  readonly #where: string;
  readonly #link: string;
  /** Of a route that goes, only the destination counts. */
  readonly #nobody: string;
  #closing: Promise<Readonly<Record<string, number>>> | undefined;
  /** The counters of one that is closed. */
  #last: Readonly<Record<string, number>> | undefined;

  constructor(
    pointer: Deno.PointerObject,
    { settings, descriptors, routes }: {
      settings: ProxySettings;
      descriptors: Descriptors;
      routes: readonly ProxyWay[];
    },
  ) {
    const lib = proxyLibrary();
    this.#pointer = pointer;
    this.#descriptors = descriptors;
    this.#link = settings.link;
    this.#nobody = familyOf(settings.address) === 6 ? "::" : "0.0.0.0";
    this.#where = placeOf({ hostname: settings.address, port: settings.port });
    this.configure(settings);
    this.#must(
      "take the routes",
      lib.flan_proxy_replace_routes(pointer, encodeRoutes(routes), routes.length),
    );
    this.ended = lib.flan_proxy_run(pointer).then((result) =>
      result === 0 ? undefined : this.#failure(result)
    );
  }

  /** Takes subnet, source and the check of sources. */
  configure(settings: ProxySettings): void {
    const result = proxyLibrary().flan_proxy_configure(this.#open(), encodeSettings(settings));
    this.#must("take the settings", result);
  }

  /** Removes, then puts. Where it throws, nothing has changed. */
  change(put: readonly ProxyWay[], remove: readonly string[]): void {
    const gone = encodeRoutes(remove.map((destination) => [destination, this.#nobody, 0]));
    const result = proxyLibrary().flan_proxy_change_routes(
      this.#open(),
      encodeRoutes(put),
      put.length,
      gone,
      remove.length,
    );
    this.#must("change the routes", result);
  }

  /** By name, since it was opened. */
  counters(): Readonly<Record<string, number>> {
    if (this.#last !== undefined) return this.#last;
    const { flan_proxy_counters } = proxyLibrary();
    const names = counterNames();
    const values = new BigUint64Array(names.length);
    flan_proxy_counters(this.#pointer, values, names.length);
    return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]));
  }

  /** Names of what makes it fast and is in use. */
  features(): readonly ProxyFeature[] {
    if (this.#last !== undefined) return [];
    const bits = proxyLibrary().flan_proxy_features(this.#pointer);
    return proxyFeatures.filter((_, i) => (bits >> i & 1) === 1);
  }

  /** Whether the link's name still is that of the device it reads. */
  serves(): boolean {
    return linkIndex(this.#link) === this.#descriptors.linkIndex;
  }

  /** Stops within 200 ms, gives every descriptor back, and resolves to the counters as they were at the end. */
  close(): Promise<Readonly<Record<string, number>>> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<Readonly<Record<string, number>>> {
    const { flan_proxy_stop, flan_proxy_close } = proxyLibrary();
    flan_proxy_stop(this.#pointer);
    await this.ended;
    this.#last = this.counters();
    flan_proxy_close(this.#pointer);
    closeAll(this.#descriptors);
    return this.#last;
  }

  #failure(result: number): KernelError {
    const why = errnoName(-result) === "EBADFD"
      ? `the device ${this.#link} was deleted (EBADFD)`
      : reason(result);
    return new KernelError(
      `The UDP proxy at ${this.#where} carries nothing any more: ${why}`,
      errnoName(-result),
      {
        op: "proxy.run",
      },
    );
  }

  /** The handle, which is freed once it is closed. */
  #open(): Deno.PointerObject {
    if (this.#last === undefined) return this.#pointer;
    throw new KernelError(`The UDP proxy at ${this.#where} is closed`, "EBADF", { op: "proxy" });
  }

  #must(what: string, result: number): void {
    if (result < 0) throw proxyError(`The UDP proxy at ${this.#where} cannot ${what}`, result);
  }
}

function closeAll({ queues, raw }: Descriptors): void {
  for (const fd of [...queues.flatMap(({ tun, socket }) => [tun, socket]), raw]) closeFd(fd);
}

function proxyError(what: string, result: number): KernelError {
  return new KernelError(`${what}: ${reason(result)}`, errnoName(-result), { op: "proxy" });
}

function reason(result: number): string {
  return `${errnoText(-result)} (${errnoName(-result)})`;
}
