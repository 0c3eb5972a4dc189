/** The proxy's state: what it was told, whether it carries packets, and what it answers. */
import type { Clock } from "../net/clock.ts";
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import type { Carrier, DataPlane } from "./data_plane.ts";
import { sumOf } from "./counters.ts";
import { Followers } from "./followers.ts";
import { parseRequest, type Request, type Settings } from "./protocol.ts";
import { parseChange, RouteTable } from "./route_table.ts";
import { collide, same, sameDescriptors, sameRoutes } from "./settings.ts";
import { placeOf } from "../net/place.ts";
import { familyOf } from "../net/ip.ts";

export interface ServerParts {
  readonly plane: DataPlane;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  readonly pid: number;
  /** Called once, when somebody has asked it to stop and nothing is carried any more. */
  readonly stopped: () => void;
}

type Asked<Op extends Request["op"]> = Extract<Request, { op: Op }>;

/**
 * Never ends by itself: a data plane that fails leaves it waiting for the next `configure`, with its routes.
 */
export class ProxyServer {
  readonly #parts: ServerParts;
  readonly #since: number;
  readonly #routes = new RouteTable();
  readonly #followers = new Followers();
  /** What former data planes have counted. */
  #counted: Readonly<Record<string, number>>;
  #settings: Settings | undefined;
  #carrier: Carrier | undefined;
  #failure: KernelError | undefined;
  /** Names a state, of this process only: another process begins elsewhere. */
  #generation: number;
  #closing = false;
  #queue: Promise<unknown> = Promise.resolve();
  /** Data planes that are being closed: what they hold cannot be opened yet. */
  #retiring: Promise<unknown> = Promise.resolve();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#since = parts.clock.now();
    this.#counted = Object.fromEntries(parts.plane.counterNames().map((name) => [name, 0]));
    this.#generation = 1 + parts.clock.random(2 ** 31);
  }

  /** The answer to a line of JSON. Rejects with what is wrong with it, or why it cannot be done. */
  async answer(line: unknown, gone: AbortSignal): Promise<Json> {
    const request = parseRequest(line);
    switch (request.op) {
      case "show":
        return this.#show();
      case "configure":
        return await this.#inTurn(() => this.#configure(request.proxy));
      case "change":
        return await this.#inTurn(() => this.#change(request));
      case "counters":
        return this.#counters();
      case "follow":
        return await this.#follow(request.generation, gone);
      case "stop":
        return await this.#stop(request);
    }
  }

  /** Carries nothing from then on, and gives every descriptor back. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#drop();
    await this.#retiring;
    this.#moveOn();
  }

  #show(): Json {
    return {
      pid: this.#parts.pid,
      version: this.#parts.version,
      generation: this.#generation,
      proxy: this.#settings === undefined ? null : { ...this.#settings },
      carrying: this.#carrier?.serves() ?? false,
      failure: this.#failure?.message ?? null,
      features: this.#carrier?.features() ?? [],
      routes: this.#routes.ways,
    };
  }

  #counters(): Json {
    return {
      generation: this.#generation,
      since: new Date(this.#since).toISOString(),
      counters: sumOf([this.#counted, this.#carrier?.counters() ?? {}]),
      carrying: this.#carrier?.serves() ?? false,
      failure: this.#failure?.message ?? null,
      features: this.#carrier?.features() ?? [],
    };
  }

  async #follow(generation: number, gone: AbortSignal): Promise<Json> {
    if (generation === this.#generation && !this.#closing) await this.#followers.wait(gone);
    // Its last state is that nobody listens any more: that cannot be told, but only hung up on.
    if (this.#closing && !gone.aborted) await new Promise((end) => gone.addEventListener("abort", end));
    if (gone.aborted) throw refused("it is stopping");
    const link = this.#settings?.link ?? null;
    return { generation: this.#generation, carrying: this.#carrier !== undefined, link };
  }

  async #stop({ link }: Asked<"stop">): Promise<Json> {
    const { pid, stopped } = this.#parts;
    const isAnothers = link !== undefined && this.#settings !== undefined && this.#settings.link !== link;
    if (isAnothers) return { pid, stopped: false };
    await this.close();
    stopped();
    return { pid, stopped: true };
  }

  async #change(request: Asked<"change">): Promise<Json> {
    const mine = this.#settings?.link;
    if (mine === undefined) throw refused("it was not told yet which link it serves");
    if ((request.link ?? mine) !== mine) {
      return {
        generation: this.#generation,
        routes: this.#routes.size,
        refused: `it serves ${mine}, not ${request.link}`,
      };
    }
    const family = familyOf(this.#settings!.subnet);
    const change = await parseChange(request, { family, clock: this.#parts.clock });
    if (this.#closing) throw refused("it is stopping");
    this.#routes.requireRoom(change);
    this.#carrier?.change(change.put, change.remove);
    // Whoever follows hears of it: an agent has the routes that others took away put back.
    if (this.#routes.change(change)) this.#moveOn();
    return { generation: this.#generation, routes: this.#routes.size };
  }

  async #configure(settings: Settings): Promise<Json> {
    let failure: KernelError | undefined;
    try {
      await this.#become(settings);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      failure = error;
    }
    return {
      generation: this.#generation,
      carrying: this.#carrier !== undefined,
      failure: failure === undefined ? null : { message: failure.message, errno: failure.errno },
    };
  }

  /** Throws KernelError. What was carried before goes on only where the two do not need the same. */
  async #become(settings: Settings): Promise<void> {
    // A device that was deleted or renamed may not have been missed yet, and the name has another one by now.
    if (this.#carrier?.serves() === false) this.#drop();
    const [before, carrier] = [this.#settings, this.#carrier];
    if (before !== undefined && carrier !== undefined && sameDescriptors(before, settings)) {
      if (same(before, settings)) return;
      carrier.configure(settings);
      this.#settings = settings;
      return this.#moveOn();
    }
    if (before !== undefined && collide(before, settings)) this.#drop();
    await this.#retiring;
    if (this.#closing) throw refused("it is stopping");
    // Another link's routes are nobody's.
    if (this.#carrier === undefined) this.#tell(settings);
    try {
      const routes = before !== undefined && sameRoutes(before, settings) ? this.#routes.ways : [];
      const next = this.#parts.plane.open(settings, routes);
      const former = this.#carrier;
      this.#tell(settings);
      this.#carry(next);
      if (former !== undefined) this.#retire(former);
    } catch (error) {
      if (this.#carrier === undefined && error instanceof KernelError) this.#failure = error;
      this.#parts.log.log("error", messageOf(error));
      throw error;
    } finally {
      this.#moveOn();
    }
  }

  #tell(settings: Settings): void {
    if (this.#settings !== undefined && !sameRoutes(this.#settings, settings)) this.#routes.clear();
    this.#settings = settings;
  }

  #carry(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#failure = undefined;
    const { link, address, port } = this.#settings!;
    this.#parts.log.log("info", `Carrying the packets of ${link} at ${placeOf({ hostname: address, port })}`);
    carrier.ended.then((failure) => {
      if (this.#carrier !== carrier || failure === undefined) return;
      this.#failure = failure;
      this.#parts.log.log("error", failure.message);
      this.#drop();
      this.#moveOn();
    });
  }

  #drop(): void {
    if (this.#carrier !== undefined) this.#retire(this.#carrier);
    this.#carrier = undefined;
  }

  #retire(carrier: Carrier): void {
    // What is counted until the end comes on top: no counter ever goes back.
    const soFar = carrier.counters();
    this.#counted = sumOf([this.#counted, soFar]);
    const closing = carrier.close().then((counters) => {
      const rest = Object.entries(counters).map(([name, value]) => [name, value - (soFar[name] ?? 0)]);
      this.#counted = sumOf([this.#counted, Object.fromEntries(rest)]);
    });
    this.#retiring = Promise.all([this.#retiring, closing]);
  }

  #moveOn(): void {
    this.#generation++;
    this.#followers.tell();
  }

  /** What changes the state comes one after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#closing) throw refused("it is stopping");
      return work();
    });
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** What the client reads after "the UDP proxy refused". */
function refused(why: string): FlanError {
  return new FlanError(why, { op: "proxy", code: "failed" });
}
