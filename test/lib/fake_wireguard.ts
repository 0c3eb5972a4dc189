/** WireGuard in memory: the kernel's devices, or a program's, on one stack. Several kernels may stand on it. */
import type { Secrets } from "../../kernel/secrets.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Link } from "../../kernel/state.ts";
import type {
  DeviceChange,
  DeviceFields,
  PeerChange,
  PeerFields,
  WireguardDevices,
} from "../../kernel/wireguard_devices.ts";
import type { Clock } from "../../net/clock.ts";
import { FlanError, KernelError } from "../../net/errors.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { clamped, publicKeyOf } from "../../net/wireguard_key.ts";
import { openWireguardKernel } from "../../wireguard/wireguard_kernel.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeKernel, hostStack } from "./fake_kernel.ts";
import type { FakeStack } from "./fake_stack.ts";

/** Host `n`'s private key, 1 to 255. */
export function privateKeyOf(n: number): Uint8Array {
  return clamped(new Uint8Array(32).fill(n));
}

const publicKeys = await Promise.all(Array.from({ length: 256 }, (_, n) => publicKeyOf(privateKeyOf(n))));

export function publicKey(n: number): string {
  return publicKeys[n]!;
}

interface Device {
  privateKey: string;
  listenPort: number;
  wasUp: boolean;
  readonly peers: Map<string, PeerFields>;
}

export class FakeWireguard {
  readonly stack: FakeStack;
  /** Every change that was told, in order, and of which link. */
  readonly told: { readonly link: string; readonly change: DeviceChange }[] = [];
  /** A port that another program has. */
  taken = 0;
  /** Whether a program that runs gives no answer. */
  isMute = false;
  /** How often a program was started and ended. */
  readonly programs = { started: 0, stopped: 0, isInstalled: true };
  readonly #devices = new Map<string, Device>();
  readonly #running = new Set<string>();
  readonly #isNative: boolean;

  /** `native` is a kernel that has it; on others a program makes the devices. */
  constructor({ native, stack = hostStack() }: { native: boolean; stack?: FakeStack }) {
    this.stack = stack;
    this.#isNative = native;
    stack.listen(({ group, action, link = "" }) => {
      if (group !== "link" || action !== "delete") return;
      this.#devices.delete(link);
      this.#running.delete(link);
    });
  }

  /** A kernel, and below it the one that knows nothing of WireGuard. */
  open(
    { secrets = allKeys, clock = new FakeClock(), unseen }: {
      secrets?: Secrets;
      clock?: Clock;
      unseen?: (error: FlanError) => void;
    } = {},
  ): { kernel: Kernel; inner: FakeKernel } {
    const inner = new FakeKernel(this.stack);
    if (!this.#isNative) inner.failNext("add", "EOPNOTSUPP", { kind: "link", times: Infinity });
    const program = {
      devices: this.#transport("tun"),
      require: () => {
        if (this.programs.isInstalled) return;
        throw new FlanError("no program", { op: "kernel.require", code: "unsupported" });
      },
      runs: (link: string) => this.#running.has(link),
      start: (link: string) => Promise.resolve(this.start(link)),
      stop: (link: string) => Promise.resolve(this.#stop(link)),
    };
    const native = { ...this.#transport("wireguard"), isThere: () => this.#isNative, close() {} };
    return { inner, kernel: openWireguardKernel(inner, { clock, secrets, native, program, unseen }) };
  }

  /** What the device holds, for who looks past every kernel. */
  device(link: string): DeviceFields {
    return shown(this.#devices.get(link)!);
  }

  /** Somebody else sets up a device of the kernel's. */
  async tell(link: string, change: DeviceChange): Promise<void> {
    await this.#transport("wireguard").write(link, change);
  }

  /** Something came from a peer. */
  hear(link: string, publicKey: string, heard: { endpoint: string; handshake: number }): void {
    const { peers } = this.#devices.get(link)!;
    peers.set(publicKey, { ...peers.get(publicKey)!, ...heard });
  }

  /** A program makes its link, as one whose starter was killed then. */
  start(link: string): void {
    this.programs.started++;
    const made: Link = { kind: "link", name: link, type: "tun", alias: "", mac: "", mtu: 1420, up: false };
    this.stack.add(made);
    this.#running.add(link);
  }

  #stop(link: string): void {
    this.programs.stopped++;
    this.#running.delete(link);
  }

  #transport(type: string): WireguardDevices {
    return {
      read: (link) => Promise.resolve().then(() => shown(this.#find(link, type))),
      write: async (link, change) => {
        this.told.push({ link, change });
        const device = this.#find(link, type);
        const { privateKey, listenPort, peers = [] } = change;
        if (privateKey !== undefined) device.privateKey = await publicKeyOf(privateKey);
        if (listenPort !== undefined) {
          device.listenPort = 0;
          if (listenPort === this.taken) throw trouble(link, "EADDRINUSE");
          device.listenPort = listenPort;
        }
        for (const peer of peers) set(device, peer);
      },
    };
  }

  #find(name: string, type: string): Device {
    const link = this.stack.link(name);
    if (link?.type !== type) throw trouble(name, "ENODEV");
    if (this.isMute) throw trouble(name, "ETIMEDOUT");
    const device = this.#devices.get(name) ??
      { privateKey: "", listenPort: 0, wasUp: false, peers: new Map() };
    this.#devices.set(name, device);
    // Any free one, where nobody has named one.
    if (link.up && !device.wasUp) device.listenPort ||= 40_000;
    device.wasUp ||= link.up;
    return device;
  }
}

function shown({ privateKey, listenPort, peers }: Device): DeviceFields {
  return { publicKey: privateKey, listenPort, peers: [...peers.values()] };
}

function set({ peers }: Device, peer: PeerChange): void {
  if (peer.remove) return void peers.delete(peer.publicKey);
  for (const other of peers.values()) {
    const left = other.allowedIps.filter((prefix) => !peer.allowedIps.includes(prefix));
    peers.set(other.publicKey, { ...other, allowedIps: left });
  }
  const before = peers.get(peer.publicKey);
  peers.set(peer.publicKey, {
    publicKey: peer.publicKey,
    endpoint: peer.endpoint ?? before?.endpoint ?? "",
    allowedIps: [...peer.allowedIps].sort(),
    keepalive: peer.keepalive,
    presharedKey: peer.presharedKey === undefined ? "" : fingerprint(peer.presharedKey),
    handshake: before?.handshake ?? 0,
  });
}

function trouble(link: string, errno: string): KernelError {
  return new KernelError(`Cannot use ${link}: ${errno}`, errno, { op: "wireguard" });
}

/** The private keys of all hosts. */
export const allKeys: Secrets = {
  find(name) {
    const n = publicKeys.indexOf(name);
    return n < 0 ? undefined : privateKeyOf(n);
  },
};
