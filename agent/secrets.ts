/** The secrets of this host: its devices' keys, and what its network's options keep from everybody else. */
import type { Secrets } from "../kernel/secrets.ts";
import type { Network } from "./network.ts";
import { findPrivateKey } from "./wireguard_key.ts";

export class HostSecrets implements Secrets {
  readonly #stateDir: string;
  #shared: ReadonlyMap<string, Uint8Array> = new Map();

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** Takes in what the network's plans name from now on. */
  learn({ backend, config }: Pick<Network, "backend" | "config">): void {
    this.#shared = backend.secrets?.(config) ?? new Map();
  }

  /** Throws what keeps the key from being read. */
  find(name: string): Uint8Array | undefined {
    return this.#shared.get(name) ?? findPrivateKey(this.#stateDir, name);
  }
}
