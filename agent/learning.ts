/** Takes up the former planes of a network that some peers have not left. What fails is told, and tried again with back-off. */
import type { Clock } from "../net/clock.ts";
import { messageOf } from "../net/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Host } from "../backends/backend.ts";
import type { Plane } from "../backends/several.ts";
import type { Lease } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { needsOf } from "./firewall.ts";
import type { Found, Judgement } from "./health/health.ts";
import { ensureIdentity, type HostOptions } from "./host.ts";
import { planesToLearn } from "./learned_planes.ts";
import type { Moving } from "./moving.ts";
import { planeName, rememberPlanes } from "./planes.ts";
import { Retry } from "./retry.ts";

export interface LearningParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly node: string;
  readonly options: HostOptions;
}

/** Who has to be reached, and from where. */
export interface Stranded {
  readonly network: NetworkConfig;
  readonly peers: readonly Lease[];
  readonly host: Host;
}

export class Learning {
  /** By the plane's name: those that are needed and could not be taken up. */
  readonly #failed = new Map<string, { readonly plane: Plane; readonly retry: Retry }>();
  readonly #parts: LearningParts;

  constructor(parts: LearningParts) {
    this.#parts = parts;
  }

  /** What could not be taken up, and why. */
  get judgement(): Judgement {
    const found = [...this.#failed].map(([subject, { plane, retry }]): Found => ({
      code: "former-backend",
      subject,
      message: `Cannot take up backend ${plane.backend.type}, by which alone some peers can be reached: ${
        messageOf(retry.error)
      }`,
    }));
    return { codes: ["former-backend"], found };
  }

  /** Milliseconds until what failed is tried again, Infinity where nothing did. */
  nextIn(): number {
    return Math.min(Infinity, ...[...this.#failed.values()].map(({ retry }) => retry.nextIn()));
  }

  /** What failed may be tried again at once. */
  hasten(): void {
    for (const { retry } of this.#failed.values()) retry.hasten();
  }

  /**
   * Takes up the planes by which alone some peers can be reached, beside those of `moving`: they have not moved yet.
   * Returns whether there were any. Never rejects; see {@link judgement}.
   */
  async takeUp(moving: Moving, { network, peers, host }: Stranded): Promise<boolean> {
    const { clock, options: { encrypt } } = this.#parts;
    const needed = planesToLearn(moving.planes, { network, peers, host, encrypt });
    this.#forgetOthers(needed);
    let some = false;
    for (const plane of needed) {
      const name = planeName(plane);
      const retry = this.#failed.get(name)?.retry ?? new Retry(clock);
      if (retry.nextIn() > 0) continue;
      const begun = clock.monotonic();
      try {
        moving.learn(await this.#prepare(plane, { beside: moving.planes, host }));
        this.#failed.delete(name);
        some = true;
      } catch (error) {
        retry.failed(error, begun);
        this.#failed.set(name, { plane, retry });
      }
    }
    return some;
  }

  /** The plane with what this host is on it, remembered. Throws what this host lacks, and what the kernel or the state directory does. */
  async #prepare(plane: Plane, { beside, host }: { beside: readonly Plane[]; host: Host }): Promise<Plane> {
    const { kernel, clock, node, options } = this.#parts;
    const { stateDir } = options;
    plane.backend.requireHost(plane.config, host);
    await kernel.require(needsOf(plane, options));
    const devices = plane.backend.devices(plane.config);
    const objects = await kernel.dump({ links: [], sysctls: [] });
    const identity = await ensureIdentity({ ...plane, devices }, { node, stateDir, clock, objects });
    await rememberPlanes(stateDir, [...beside, plane]);
    return { ...plane, identity };
  }

  #forgetOthers(needed: readonly Plane[]): void {
    const names = new Set(needed.map(planeName));
    for (const name of this.#failed.keys()) if (!names.has(name)) this.#failed.delete(name);
  }
}
