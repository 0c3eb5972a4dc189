/** The lease commands and the store commands on every kind of store: the same steps, the same answers. */
import assert from "node:assert/strict";
import { EtcdServer } from "../lib/etcd_server.ts";
import { LineLog } from "../lib/line_log.ts";
import { Namespace, namespaceMissing } from "./namespace.ts";
import { fixturePath, type Said, Sandbox } from "./sandbox.ts";
import { StoreServer } from "./store_server.ts";

const ignore = namespaceMissing !== undefined;
const reason = ignore ? ` (${namespaceMissing})` : "";
const network = fixturePath("json/v1/network.json");
const loopback = ["--listen", "127.0.0.1:0"];

/** What is typed, the exit code, and what stdout or stderr says; stdout is compared with text. */
type Step = readonly [words: string, code: number, says: string | RegExp];

const steps: readonly Step[] = [
  ["lease list", 4, /Cannot find a network in /],
  [`store import ${network}`, 0, /^flan: created 5$/m],
  [`store import ${network}`, 0, /^flan: nothing was changed; 5 stood there already$/m],
  ["store check", 0, /the store is well|^- /m],
  ["lease check", 3, /^! bad-endpoint {2}Every host refuses the lease 10\.5\.5\.0\/24/],
  ["lease revoke 10.5.5.0/24 --yes", 0, /^revoked the lease 10\.5\.5\.0\/24 of 127\.0\.0\.1$/m],
  ["lease revoke 10.5.5.0/24 --yes", 3, /nobody has that lease/],
  ["lease check", 0, /every lease is well/],
  ["lease get", 3, /This host has no lease/],
  ["lease get 10.5.3.0/24 -o value=publicIp", 0, "192.0.2.3\n"],
  ["lease acquire --subnet 10.5.2.0/24", 1, /it is held by the lease 10\.5\.2\.0\/24 of 192\.0\.2\.2/],
  ["lease acquire --subnet 10.5.7.0/24 -o value=subnet", 0, "10.5.7.0/24\n"],
  ["lease acquire --subnet 10.5.7.0/24 -o value=subnet", 0, "10.5.7.0/24\n"],
  ["lease get -o env", 0, /^FLANNEL_SUBNET=10\.5\.7\.1\/24$/m],
  ["lease renew --lease-ttl 2h -o value=subnet", 0, "10.5.7.0/24\n"],
  ["lease reserve 10.5.7.0/24", 0, /^made the lease 10\.5\.7\.0\/24 a reservation for node/],
  ["lease reserve 10.5.7.0/24", 0, /^10\.5\.7\.0\/24 is reserved already for node/],
  ["lease release", 0, "released 10.5.7.0/24, which stays reserved for this host\n"],
  ["lease acquire -o value=reservation", 0, "true\n"],
  ["lease unreserve 10.5.7.0/24", 0, "10.5.7.0/24 is a lease like others now, held by 192.0.2.1\n"],
  ["lease unreserve 10.5.7.0/24", 0, "10.5.7.0/24 is a lease and no reservation\n"],
  ["lease release -o value=change", 0, "released\n"],
  ["lease reserve 10.5.9.0/24 --for-ip 192.0.2.1", 0, "reserved 10.5.9.0/24 for 192.0.2.1\n"],
  ["lease acquire -o value=subnet", 0, "10.5.9.0/24\n"],
  ["lease release", 0, "released 10.5.9.0/24, which stays reserved for 192.0.2.1\n"],
  ["lease list -o value=subnet", 0, "10.5.2.0/24\n10.5.3.0/24\n10.5.4.0/24\n10.5.9.0/24\n"],
  ["lease unreserve 10.5.9.0/24", 0, "10.5.9.0/24 is free again\n"],
  ["lease unreserve 10.5.9.0/24", 0, "nothing is reserved at 10.5.9.0/24\n"],
  ["lease gc --older 0s", 0, /would remove 0 records, forgot [1-9]/],
  ["lease gc --older 0s", 0, /would remove 0 records, forgot 0/],
];

/** Whose turn it is when the watch starts: as soon as there is a network. */
const WATCHED_FROM = 3;

/** A store of each kind, in one namespace; `fresh` makes another one of the kind, with nothing in it. */
class World implements AsyncDisposable {
  readonly namespace = new Namespace("stores");
  readonly #made = new AsyncDisposableStack();
  #etcd!: EtcdServer;

  static async start(): Promise<World> {
    const world = new World();
    world.#etcd = await EtcdServer.start({ within: world.namespace.within });
    return world;
  }

  sandbox(): Sandbox {
    return this.#made.use(new Sandbox(this.namespace));
  }

  readonly fresh: Readonly<Record<string, (name: string) => Promise<string>>> = {
    file: () => Promise.resolve(`file:${this.sandbox().store}`),
    http: () => this.#made.use(new StoreServer(this.sandbox(), loopback)).url(),
    etcd: (name) => Promise.resolve(`etcd://${this.#etcd.endpoint}/${name}`),
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.disposeAsync();
    await this.#etcd[Symbol.asyncDispose]();
    this.namespace[Symbol.dispose]();
  }
}

/** Takes every step, and watches meanwhile. */
async function walk(sandbox: Sandbox, store: string): Promise<void> {
  const env = { FLAN_STORE: store };
  let watch: Deno.ChildProcess | undefined;
  let events: LineLog | undefined;
  for (const [i, [words, code, says]] of steps.entries()) {
    if (i === WATCHED_FROM) {
      watch = sandbox.command(["lease", "watch"], { env }).spawn();
      events = new LineLog(`flan lease watch on ${store}`, watch.stdout);
      await events.line(/"added".*10\.5\.5\.0|"added".*10\.5\.4\.0/);
    }
    const said = await sandbox.flan(words.split(" "), { env });
    assertSays(said, { code, says, where: `flan ${words} (step ${i}) on ${store}` });
  }
  await events!.line(/"removed".*10\.5\.9\.0/);
  const told = (event: string, subnet: string) =>
    events!.matching(new RegExp(`"event":"${event}".*"subnet":"${subnet}"`)).length;
  assert.deepEqual([told("added", "10.5.2.0/24"), told("removed", "10.5.2.0/24")], [1, 0], store);
  assert.ok(told("added", "10.5.7.0/24") >= 1 && told("removed", "10.5.7.0/24") >= 1, store);
  watch!.kill("SIGINT");
  const [{ code }] = await Promise.all([watch!.status, events!.closed, watch!.stderr.cancel()]);
  assert.equal(code, 130);
}

function assertSays(
  { code, stdout, stderr }: Said,
  { where, ...expected }: { code: number; says: string | RegExp; where: string },
): void {
  assert.equal(code, expected.code, `${where}: ${stdout}${stderr}`);
  if (typeof expected.says === "string") assert.equal(stdout, expected.says, where);
  else assert.match(stdout + stderr, expected.says, where);
}

/** Carries a network out of a store into an empty one of another kind, and looks whether it could go back. */
async function carry(sandbox: Sandbox, from: string, to: string): Promise<void> {
  const run = async (words: string, store: string, says: RegExp) => {
    const said = await sandbox.flan(words.split(" "), { env: { FLAN_STORE: store } });
    assertSays(said, { code: 0, says, where: `flan ${words}, out of ${from} into ${to}, on ${store}` });
  };
  await run(`store export ${sandbox.dir}/there.json`, from, /3 leases/);
  await run(`store import ${sandbox.dir}/there.json --plan`, to, /^flan: would create 4$/m);
  const piped = ["sh", "-c", `exec "$@" < ${sandbox.dir}/there.json`, "sh"];
  const within = [...sandbox.within, ...piped];
  const done = await sandbox.flan(["store", "import", "-"], { env: { FLAN_STORE: to }, within });
  assertSays(done, { code: 0, says: /^flan: created 4$/m, where: `import into ${to}` });
  await run(`store export ${sandbox.dir}/back.json`, to, /3 leases/);
  await run(`store import ${sandbox.dir}/back.json --plan`, from, /^flan: would create 0; 4 stood there/m);
}

Deno.test({
  name:
    `the commands do the same on a file, over HTTP and in an etcd, and carry a network between them${reason}`,
  ignore,
  async fn(t) {
    await using world = await World.start();
    const kinds = Object.keys(world.fresh);
    const stores = new Map<string, string>();
    for (const kind of kinds) stores.set(kind, await world.fresh[kind]!("coreos.com/network"));
    await t.step("each step of the table has the same answer on each", async () => {
      await Promise.all([...stores.values()].map((store) => walk(world.sandbox(), store)));
    });
    await t.step(
      "a network goes from each kind into each other, and nothing changes on its way back",
      async () => {
        const pairs = kinds.flatMap((from) =>
          kinds.filter((to) => to !== from).map((to) => [from, to] as const)
        );
        await Promise.all(pairs.map(async ([from, to]) => {
          const target = await world.fresh[to]!(`out-of/${from}`);
          await carry(world.sandbox(), stores.get(from)!, target);
        }));
      },
    );
  },
});
