/** Debian's nginx as a TLS front that asks for client certificates, in a directory of its own. */
import { LineLog } from "./line_log.ts";

export interface Front {
  /** PEM files of the front's own certificate. */
  readonly cert: string;
  readonly key: string;
  /** PEM file of the authority that clients' certificates must be of. */
  readonly clients: string;
  /** Where requests go: `127.0.0.1:4380`. */
  readonly upstream: string;
}

const program = "/usr/sbin/nginx";

/** Why there is no nginx here, for a test's name, or undefined. */
export const nginxMissing: string | undefined = isInstalled() ? undefined : " (needs nginx)";

export class Nginx implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #log: LineLog;

  private constructor(port: number, { child, log }: { child: Deno.ChildProcess; log: LineLog }) {
    this.port = port;
    this.#child = child;
    this.#log = log;
  }

  /** Starts it in the foreground; resolves when it listens. */
  static async start(dir: string, front: Front): Promise<Nginx> {
    // Its own file cannot say "any free port", so one that was free a moment ago must do.
    for (let attempt = 0;; attempt++) {
      const port = freePort();
      Deno.writeTextFileSync(`${dir}/nginx.conf`, configuration(dir, { ...front, port }));
      const child = new Deno.Command(program, {
        args: ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", "stderr"],
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const log = new LineLog("nginx", child.stderr);
      const line = await log.line(/start worker process |Address already in use/);
      if (line.includes("start worker")) return new Nginx(port, { child, log });
      await child.status;
      if (attempt === 4) throw new Error(line);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await Promise.all([this.#child.status, this.#log.closed]);
  }
}

function isInstalled(): boolean {
  try {
    return Deno.statSync(program).isFile;
  } catch {
    return false;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function configuration(
  dir: string,
  { cert, key, clients, upstream, port }: Front & { port: number },
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${dir}/nginx-${name};`).join("\n");
  return `daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
${temporary}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_client_certificate ${clients};
    ssl_verify_client on;
    client_max_body_size 64m;
    location / {
      proxy_pass http://${upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
