/** A real etcd for a test, of its own, with its data in a temporary directory. */
import { Authority, type Certificate } from "./certificates.ts";
import { LineLog } from "./line_log.ts";

export interface EtcdOptions {
  /** Serves clients over TLS, with a certificate for its address that {@link EtcdServer.ca} issued. */
  readonly tls?: boolean;
  /** Demands a certificate of {@link EtcdServer.ca} from clients; goes with `tls`. */
  readonly clientCerts?: boolean;
  /**
   * Switches auth on: user `root` (password `root-secret`), and user `flan` (password `flan-secret`) that may touch
   * nothing but keys below `prefix`.
   */
  readonly auth?: boolean;
  /** Below which `flan` may write; `/coreos.com/network` by default. */
  readonly prefix?: string;
  /** Further flags of etcd. */
  readonly args?: readonly string[];
  /** What runs etcd and etcdctl: `["ip", "netns", "exec", NAME]`. */
  readonly within?: readonly string[];
  /** Address it listens on; 127.0.0.1 by default. */
  readonly address?: string;
  /** Its clients' port, with the next one for its peers; by default two that are free on this machine. */
  readonly port?: number;
  /** The other members of its cluster, at their own addresses with the same ports. */
  readonly others?: readonly string[];
}

/** Ports are looked for, let go and then taken: another process may be quicker. */
const ATTEMPTS = 5;

export class EtcdServer implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "flan-etcd-" });
  /** `127.0.0.1:PORT` of its clients. */
  readonly endpoint: string;
  readonly prefix: string;
  /** What etcd has printed since it was started last. */
  log!: LineLog;
  /** Issues the server's certificate and its clients'; undefined without `tls`. */
  ca: Authority | undefined;
  /** A client certificate without a CN, as etcd's gateway wants it with auth; undefined without `tls`. */
  client: Certificate | undefined;
  readonly #options: EtcdOptions;
  /** Itself first. */
  readonly #members: readonly { readonly name: string; readonly url: string }[];
  #server: Certificate | undefined;
  #child: Deno.ChildProcess | undefined;
  #guarded = false;

  private constructor(options: EtcdOptions) {
    const { address = "127.0.0.1", prefix = "/coreos.com/network" } = options;
    const [port, peerPort] = options.port === undefined ? freePorts(2) : [options.port, options.port + 1];
    this.#options = options;
    this.prefix = prefix;
    this.endpoint = `${address}:${port}`;
    this.#members = [address, ...options.others ?? []].map((one) => ({
      name: `at-${one}`,
      url: `http://${one}:${peerPort}`,
    }));
  }

  /** Starts one and waits until it serves. */
  static async start(options: EtcdOptions = {}): Promise<EtcdServer> {
    for (let attempt = 1;; attempt++) {
      const server = new EtcdServer(options);
      try {
        await server.#prepare();
        await server.restart();
        if (options.auth) await server.enableAuth();
        return server;
      } catch (error) {
        const taken = server.log?.lines.some((line) => line.includes("address already in use"));
        await server[Symbol.asyncDispose]();
        if (!taken || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** As flan's users write it. */
  get url(): string {
    return `etcd${this.#options.tls ? "s" : ""}://${this.endpoint}${this.prefix}`;
  }

  get pid(): number {
    return this.#child!.pid;
  }

  /** Starts it after {@link stop} or {@link kill}, on the same data and ports, and waits until it serves. */
  async restart(): Promise<void> {
    const [program, ...args] = this.#command() as [string, ...string[]];
    this.#child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    this.log = new LineLog(`etcd at ${this.endpoint}`, this.#child.stderr);
    await this.log.line(/"serving (insecure client|client traffic)|ready to serve client requests/);
  }

  /** Ends it in good order; its watchers see their streams end. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it at once, as a power failure would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Lets it neither answer nor hang up, until {@link resume}. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Runs etcdctl (API 3), as root where auth is on. Returns what it prints; throws where it fails. */
  async ctl(...args: readonly string[]): Promise<string> {
    return await this.feed("", ...args);
  }

  /** The same with a standard input: what is too long for an argument, or a transaction. */
  async feed(input: string, ...args: readonly string[]): Promise<string> {
    const [program, ...rest] = this.#ctl(args);
    const child = new Deno.Command(program, {
      args: rest,
      env: { ETCDCTL_API: "3" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    await new Blob([input]).stream().pipeTo(child.stdin);
    const { success, stdout, stderr } = await output;
    const text = new TextDecoder();
    if (!success) throw new Error(`etcdctl ${args.join(" ")}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /** Puts (or, where the value is undefined, deletes) keys below the prefix, at most 128 in one revision. */
  async write(entries: Readonly<Record<string, unknown>>): Promise<void> {
    const lines = Object.entries(entries).map(([key, value]) =>
      value === undefined
        ? `del ${this.prefix}/${key}`
        : `put ${this.prefix}/${key} ${JSON.stringify(JSON.stringify(value))}`
    );
    const answer = await this.feed(`\n${lines.join("\n")}\n\n\n`, "txn");
    if (!answer.startsWith("SUCCESS")) throw new Error(`etcdctl txn: ${answer}`);
  }

  #ctl(args: readonly string[]): [string, ...string[]] {
    const { tls, auth, within = [] } = this.#options;
    return [
      ...[...within, "etcdctl", `--endpoints=${tls ? "https" : "http"}://${this.endpoint}`],
      // Its own limits (2 s to connect, which includes a slow hash of the password) are too short on a busy machine.
      ...["--dial-timeout=30s", "--command-timeout=30s"],
      ...(tls
        ? [`--cacert=${this.ca!.cert}`, `--cert=${this.client!.cert}`, `--key=${this.client!.key}`]
        : []),
      ...(auth && this.#guarded ? ["--user=root:root-secret"] : []),
      ...args,
    ] as [string, ...string[]];
  }

  /** Writes a backup of everything it holds now, and returns the file. */
  async backup(): Promise<string> {
    const file = `${this.dir}/backup.db`;
    await this.ctl("snapshot", "save", file);
    return file;
  }

  /** Ends it and starts it again with what a backup holds, as an administrator would after a loss. */
  async restore(backup: string): Promise<void> {
    await this.kill();
    await Deno.remove(this.#data, { recursive: true });
    await this.ctl("snapshot", "restore", backup, `--data-dir=${this.#data}`, ...this.#cluster());
    await this.restart();
  }

  /** As the option `auth` does, later. */
  async enableAuth(): Promise<void> {
    await this.ctl("user", "add", "root:root-secret");
    await this.ctl("user", "grant-role", "root", "root");
    await this.ctl("user", "add", "flan:flan-secret");
    await this.ctl("role", "add", "flan");
    await this.ctl("role", "grant-permission", "flan", "readwrite", `${this.prefix}/`, "--prefix=true");
    await this.ctl("user", "grant-role", "flan", "flan");
    await this.ctl("auth", "enable");
    this.#guarded = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.dir, { recursive: true });
  }

  async #prepare(): Promise<void> {
    if (this.#options.tls) await this.issueAll();
  }

  /** Makes a new authority and has it issue everybody's certificates, over the old files; etcd reads it at its start. */
  async issueAll(): Promise<void> {
    this.ca = await Authority.make(this.dir);
    this.client = await this.ca.issue("client");
    await this.issueServer();
  }

  /** Gives the server a new certificate, by default a good one; etcd reads it at the next handshake. */
  async issueServer(
    { names = `IP:${this.endpoint.split(":")[0]}`, days = 2 }: { names?: string; days?: number } = {},
  ): Promise<void> {
    this.#server = await this.ca!.issue("server", { names, days });
  }

  #command(): string[] {
    const { tls, clientCerts, args = [], within = [] } = this.#options;
    const url = `${tls ? "https" : "http"}://${this.endpoint}`;
    return [
      // It must not outlive a test that is killed.
      ...[...within, "setpriv", "--pdeathsig", "KILL", "etcd"],
      ...[`--data-dir=${this.#data}`, "--logger=zap", "--log-outputs=stderr"],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      ...[`--listen-peer-urls=${this.#members[0]!.url}`, ...this.#cluster()],
      // The shortest lease is one and a half election timeouts, rounded up to a second.
      ...["--heartbeat-interval=10", "--election-timeout=100"],
      ...(tls ? [`--cert-file=${this.#server!.cert}`, `--key-file=${this.#server!.key}`] : []),
      ...(clientCerts ? ["--client-cert-auth", `--trusted-ca-file=${this.ca!.cert}`] : []),
      ...args,
    ];
  }

  /** Who it is among its peers; etcd reads it where it has no data yet, and etcdctl to make data from a backup. */
  #cluster(): string[] {
    const [{ name, url }] = this.#members as [{ name: string; url: string }];
    const all = this.#members.map((one) => `${one.name}=${one.url}`).sort();
    return [`--name=${name}`, `--initial-advertise-peer-urls=${url}`, `--initial-cluster=${all.join()}`];
  }

  get #data(): string {
    return `${this.dir}/data`;
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    try {
      child.kill(signal);
      // A paused process takes no notice of anything else.
      child.kill("SIGCONT");
    } catch (error) {
      // The runtime says so of a child that has ended.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
    await Promise.all([child.status, this.log.closed]);
  }
}

/** Ports of loopback that nobody listens on now. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
