/** The kernel's WireGuard devices, over generic netlink. */
import type { DeviceChange, DeviceFields, WireguardDevices } from "../kernel/wireguard_devices.ts";
import type { Clock } from "../net/clock.ts";
import { KernelError } from "../net/errors.ts";
import { errnoName } from "./errno.ts";
import { decodeFamily, encodeFamilyGet, GENL_HDRLEN } from "./genetlink/family.ts";
import {
  DeviceReader,
  encodeDeviceGet,
  encodeDeviceSet,
  encodePeerSet,
  getHeader,
  WG_FAMILY,
} from "./genetlink/wireguard.ts";
import { reasonOf } from "./netlink_error.ts";
import { BATCH_BYTES, type Datagrams, NetlinkRequests } from "./netlink_requests.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "./netlink_socket.ts";

/** Room for the answers to one whole batch. */
const RECEIVE_BUFFER = 1024 * 1024;

export interface NativeInit {
  readonly clock: Clock;
  readonly openSocket?: () => Datagrams;
}

const openGeneric = (): Datagrams =>
  new NetlinkSocket({ protocol: NETLINK_GENERIC, receiveBuffer: RECEIVE_BUFFER, groups: [] });

/** A socket is opened at first use. */
export class NativeWireguard implements WireguardDevices {
  readonly #init: NativeInit;
  #requests: NetlinkRequests | undefined;
  #family: number | undefined;
  // One request at a time: they share a socket.
  #queue: Promise<unknown> = Promise.resolve();

  constructor(init: NativeInit) {
    this.#init = init;
  }

  /** Whether the kernel has WireGuard, loading it where it can. Makes nothing. */
  isThere(): boolean {
    try {
      this.#familyOf();
      return true;
    } catch (error) {
      // Whatever it says, it cannot be used.
      if (error instanceof KernelError) return false;
      throw error;
    }
  }

  read(link: string): Promise<DeviceFields> {
    return this.#inTurn(async () => {
      const family = this.#familyOf();
      let reader = new DeviceReader();
      await this.#open().dump({
        what: `read WireGuard device ${link}`,
        type: family,
        begin: () => reader = new DeviceReader(),
        encode: (message, start) => {
          start(Uint8Array.from(getHeader));
          encodeDeviceGet(message, link);
        },
        visit: (parser, message) => {
          if (message.type === family && message.length > GENL_HDRLEN) reader.read(parser, message);
        },
      });
      return reader.device;
    });
  }

  write(link: string, { peers = [], ...device }: DeviceChange): Promise<void> {
    return this.#inTurn(async () => {
      const family = this.#familyOf();
      const { builder } = this.#open();
      if (Object.keys(device).length > 0) {
        encodeDeviceSet(builder, { family, link, ...device });
        this.#send(link, [builder.finish().slice()]);
      }
      let batch: Uint8Array<ArrayBuffer>[] = [];
      let size = 0;
      for (const peer of peers) {
        encodePeerSet(builder, { family, link, peer });
        const message = builder.finish().slice();
        if (size + message.length > BATCH_BYTES) {
          this.#send(link, batch);
          [batch, size] = [[], 0];
          await this.#init.clock.turn();
        }
        batch.push(message);
        size += message.length;
      }
      this.#send(link, batch);
    });
  }

  close(): void {
    this.#requests?.close();
  }

  #send(link: string, messages: readonly Uint8Array<ArrayBuffer>[]): void {
    if (messages.length === 0) return;
    const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    const offsets = messages.map((message) => {
      bytes.set(message, at);
      at += message.length;
      return at - message.length;
    });
    const failed = this.#open().transact(bytes, offsets).find(({ errno }) => errno !== 0);
    // A private key may be in it.
    bytes.fill(0);
    if (failed === undefined) return;
    const errno = errnoName(failed.errno);
    throw new KernelError(`Cannot change WireGuard device ${link}: ${reasonOf(failed)}`, errno, {
      op: "wireguard",
      hint: errno === "EPERM" ? "run as root" : undefined,
    });
  }

  /** Throws KernelError, ENOENT where the kernel has none. */
  #familyOf(): number {
    if (this.#family !== undefined) return this.#family;
    const requests = this.#open();
    encodeFamilyGet(requests.builder, WG_FAMILY);
    requests.ask("find WireGuard", "wireguard", (parser, message) => {
      this.#family = decodeFamily(parser, message);
    });
    if (this.#family !== undefined) return this.#family;
    throw new KernelError("Cannot find WireGuard: the kernel's answer is malformed", "EPROTO", {
      op: "wireguard",
    });
  }

  #open(): NetlinkRequests {
    return this.#requests ??= new NetlinkRequests(
      this.#init.clock,
      (this.#init.openSocket ?? openGeneric)(),
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
}
