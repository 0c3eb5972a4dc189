/** What can be seen of this host's proxy: also of one that hangs, or that says what nobody understands. */
import { isMute, isRefusal } from "../control/ask.ts";
import { isHeld } from "../control/lock.ts";
import { type KernelObject, type Proxy, proxyLinks } from "../kernel/state.ts";
import { FlanError } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { Shown } from "./answers.ts";
import type { ProxyClient } from "./client.ts";
import { muteProxy, objectsOf } from "./objects.ts";
import type { Settings } from "./protocol.ts";
import { isNotUnderstood } from "./stop.ts";
import type { Family } from "../net/ip.ts";

/** All else waits for this look. */
const LOOK_MS = 2000;

export interface SightInit {
  readonly client: ProxyClient;
  /** What the proxy carries. */
  readonly family: Family;
  /** Told once of a proxy that is of another version than `version`. */
  readonly log?: Logger | undefined;
  readonly version?: string | undefined;
  /** Told why the proxy cannot be seen by this user; without it, that is an error. */
  readonly unseen?: ((error: FlanError) => void) | undefined;
}

export class ProxySight {
  readonly #init: SightInit;
  #last: Settings | undefined;
  #shown: { readonly pid: number; readonly version: string } | undefined;

  constructor(init: SightInit) {
    this.#init = init;
  }

  /**
   * The proxy and its routes. One that gives no answer, or none that can be understood, carries nothing as far as anybody
   * can know: it has the settings that it was seen with last or, seen for the first time, that of `links` which is its. Throws
   * FlanError where it cannot be looked at.
   */
  async look(links: readonly string[]): Promise<readonly KernelObject[]> {
    const { client } = this.#init;
    try {
      const shown = await client.show({ within: LOOK_MS });
      if (shown !== undefined) return objectsOf(this.#saw(shown), this.#init.family);
      this.#shown = undefined;
      // Its socket's file is gone, or it is about to listen or to end.
      return isHeld(client.lock) ? [this.#mute(links)] : [];
    } catch (error) {
      this.#shown = undefined;
      if (isMute(error) || isNotUnderstood(error) || isRefusal(error)) {
        return [this.#mute(links)];
      }
      return this.#cannotSee(error);
    }
  }

  /** Whether the proxy that runs is of another version, or cannot say of which. */
  get isForeign(): boolean {
    const { version } = this.#init;
    return version !== undefined && this.#shown?.version !== version;
  }

  #saw(shown: Shown): Shown {
    const { log, version } = this.#init;
    const isNew = shown.pid !== this.#shown?.pid;
    this.#shown = shown;
    if (shown.proxy !== null) this.#last = shown.proxy;
    if (isNew && version !== undefined && shown.version !== version) {
      log?.log(
        "warning",
        `The UDP proxy is of version ${
          shown.version || "unknown"
        } and flan of ${version}: flan proxy stop renews it`,
        { pid: shown.pid },
      );
    }
    return shown;
  }

  #mute(links: readonly string[]): Proxy {
    const { family } = this.#init;
    if (this.#last !== undefined) return muteProxy(this.#last);
    return muteProxy(family === 6 ? proxyLinks[6] : links.find((link) => link !== proxyLinks[6]));
  }

  #cannotSee(error: unknown): readonly KernelObject[] {
    const { unseen } = this.#init;
    if (!(error instanceof FlanError) || error.code !== "not-permitted" || unseen === undefined) throw error;
    unseen(error);
    return [];
  }
}
