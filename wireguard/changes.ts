/** Carries out what a plan wants of WireGuard's devices and peers, in the order given. */
import type { Change, Failure, Kernel } from "../kernel/kernel.ts";
import { describe, keyOf, type Link, type WireguardPeer } from "../kernel/state.ts";
import { withLivingEndpoint } from "../kernel/wireguard.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { DeviceFields, PeerChange, WireguardDevices } from "../kernel/wireguard_devices.ts";
import { peerObject, type WireguardInit } from "./sight.ts";

export interface ChangesInit extends WireguardInit {
  readonly kernel: Kernel;
  /** Endpoints by peer, as they were given last; kept up here. */
  readonly told: Map<string, string>;
}

type PeerOf = { readonly verb: Change["verb"]; readonly object: WireguardPeer };

/** A program has its port in some milliseconds after its link is up. */
const BIND_MS = 5000;
const LOOK_MS = 10;

/** One `apply` of a kernel; see there. */
export class WireguardChanges {
  readonly #init: ChangesInit;

  constructor(init: ChangesInit) {
    this.#init = init;
  }

  /** `changes` are of WireGuard links and peers only. */
  async run(changes: readonly Change[]): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (let at = 0; at < changes.length;) {
      const { verb, object } = changes[at]!;
      if (object.kind === "link") {
        failures.push(...await this.#attempt(changes[at]!, () => this.#link(verb, object)));
        at++;
        continue;
      }
      const batch = batchFrom(changes, at);
      failures.push(...await this.#peers(batch));
      at += batch.length;
    }
    return failures;
  }

  async #link(verb: Change["verb"], link: Link): Promise<void> {
    if (verb === "delete") return await this.#remove(link);
    if (verb === "replace" && await this.#isThere(link)) {
      await this.#applied("replace", this.#runs(link) ? programmed(link) : bare(link));
      return await this.#configure(link, await this.#devices(link.name).read(link.name));
    }
    await this.#make(link);
    try {
      await this.#configure(link, await this.#bound(link));
    } catch (error) {
      // Half of it would look like all of it to who may not see its settings.
      await this.#remove(link);
      throw error;
    }
  }

  /** The link, up, by the kernel or, where it has no WireGuard, by a program. */
  async #make(link: Link): Promise<void> {
    const { kernel, program } = this.#init;
    const [failure] = await kernel.apply([{ verb: "add", object: bare(link) }]);
    if (failure === undefined) return;
    if (failure.error.errno !== "EOPNOTSUPP") throw failure.error;
    await program.start(link.name);
    try {
      await this.#applied("replace", programmed(link));
    } catch (error) {
      await this.#remove(link);
      throw error;
    }
  }

  async #remove(link: Link): Promise<void> {
    const { program, told } = this.#init;
    await this.#applied("delete", bare(link));
    if (this.#runs(link)) await program.stop(link.name);
    for (const key of told.keys()) if (key.endsWith(` dev ${link.name}`)) told.delete(key);
  }

  /** Sets what differs: the same key set again might end sessions, and the same port lose packets. */
  async #configure({ name, wireguard }: Link, found: DeviceFields): Promise<void> {
    if (wireguard === undefined) return;
    const { publicKey, listenPort } = wireguard;
    const privateKey = publicKey === found.publicKey ? undefined : this.#secret(publicKey, "its private key");
    const change = {
      ...(privateKey === undefined ? {} : { privateKey }),
      ...(listenPort === found.listenPort ? {} : { listenPort }),
    };
    if (Object.keys(change).length === 0) return;
    try {
      await this.#devices(name).write(name, change);
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== "EADDRINUSE") throw error;
      const hint = `ss -ulpn 'sport = :${listenPort}' shows who has it`;
      const why = `UDP port ${listenPort} is taken by another program (EADDRINUSE)`;
      throw new KernelError(why, error.errno, { op: "wireguard", hint });
    }
  }

  /** A new device once it has some port: one that is told of a port before does not say that it is taken. */
  async #bound({ name, up }: Link): Promise<DeviceFields> {
    const { clock } = this.#init;
    const deadline = clock.monotonic() + BIND_MS;
    for (;;) {
      const device = await this.#devices(name).read(name);
      if (!up || device.listenPort !== 0 || clock.monotonic() >= deadline) return device;
      await clock.sleep(LOOK_MS);
    }
  }

  async #peers(batch: readonly PeerOf[]): Promise<readonly Failure[]> {
    const { link } = batch[0]!.object;
    const devices = this.#devices(link);
    try {
      const found = batch.some(({ verb }) => verb === "replace")
        ? await this.#found(link, devices)
        : new Map();
      await devices.write(link, { peers: batch.map((one) => this.#change(one, found)) });
      for (const one of batch) this.#tell(one);
      return [];
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      if (batch.length === 1) return this.#judge(batch[0]!, error);
      // One by one, so that only the bad one fails.
      const failures: Failure[] = [];
      for (const one of batch) failures.push(...await this.#peers([one]));
      return failures;
    }
  }

  /** A peer is gone with its device. */
  #judge(change: PeerOf, error: FlanError): readonly Failure[] {
    const isGone = change.verb === "delete" && error instanceof KernelError && error.errno === "ENODEV";
    return isGone ? [] : [failureOf(change, error)];
  }

  async #found(link: string, devices: WireguardDevices): Promise<Map<string, WireguardPeer>> {
    const { peers } = await devices.read(link);
    const { clock, told } = this.#init;
    return new Map(peers.map((peer) => {
      const object = peerObject(link, peer, { now: clock.now(), told });
      return [keyOf(object), object];
    }));
  }

  #change({ verb, object }: PeerOf, found: ReadonlyMap<string, WireguardPeer>): PeerChange {
    const { allowedIps, endpoint, keepalive, presharedKey, publicKey } = object;
    const common = { publicKey, allowedIps, keepalive };
    if (verb === "delete") return { ...common, remove: true, presharedKey: undefined };
    const before = found.get(keyOf(object));
    const isKept = before !== undefined && withLivingEndpoint(object, before).endpoint === before.endpoint;
    return {
      ...common,
      endpoint: isKept || endpoint === "" ? undefined : endpoint,
      presharedKey: presharedKey === "" ? undefined : this.#secret(presharedKey, "its pre-shared key"),
    };
  }

  #tell({ verb, object }: PeerOf): void {
    if (verb === "delete") this.#init.told.delete(keyOf(object));
    else this.#init.told.set(keyOf(object), object.endpoint);
  }

  #secret(name: string, what: string): Uint8Array {
    const secret = this.#init.secrets.find(name);
    if (secret !== undefined) return secret;
    throw new FlanError(`${what} is not known on this host`, { op: "wireguard", code: "failed" });
  }

  #devices(link: string): WireguardDevices {
    const { native, program } = this.#init;
    return program.runs(link) ? program.devices : native;
  }

  #runs({ name }: Link): boolean {
    return this.#init.program.runs(name);
  }

  async #isThere({ name }: Link): Promise<boolean> {
    const objects = await this.#init.kernel.dump({ links: [], sysctls: [], linksOnly: true });
    return objects.some((object) => object.kind === "link" && object.name === name);
  }

  /** Throws the failure. */
  async #applied(verb: Change["verb"], object: Link): Promise<void> {
    const [failure] = await this.#init.kernel.apply([{ verb, object }]);
    if (failure !== undefined) throw failure.error;
  }

  async #attempt(change: Change, work: () => Promise<void>): Promise<readonly Failure[]> {
    try {
      await work();
      return [];
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      return [failureOf(change, error)];
    }
  }
}

/** The peers of one link from `at` on. */
function batchFrom(changes: readonly Change[], at: number): readonly PeerOf[] {
  const batch: PeerOf[] = [];
  for (const { verb, object } of changes.slice(at)) {
    if (object.kind !== "wireguard-peer") break;
    if (batch.length > 0 && batch[0]!.object.link !== object.link) break;
    batch.push({ verb, object });
  }
  return batch;
}

/** As the kernel takes it. */
function bare({ wireguard: _, ...link }: Link): Link {
  return link;
}

/** As the kernel shows one that a program made. */
function programmed(link: Link): Link {
  return { ...bare(link), type: "tun" };
}

function failureOf(change: Change, error: FlanError): Failure {
  const { op, code, hint } = error;
  const errno = error instanceof KernelError ? error.errno : "";
  const message = messageOf(error);
  const text = message.startsWith("Cannot ")
    ? message
    : `Cannot ${change.verb} ${describe(change.object)}: ${message}`;
  return { change, error: new KernelError(text, errno, { op, code, hint }) };
}
