/** `flan store serve`: the local file store, shared with other hosts over HTTP. */
import { FileStore } from "../lease/file/file_store.ts";
import { isLoopback } from "../lease/remote/in_clear.ts";
import { serve, type ServeOptions } from "../lease/http/serve.ts";
import { openStore } from "../lease/open.ts";
import { invalid, messageOf } from "../net/errors.ts";
import { parsePlace, type Place } from "../net/place.ts";
import { quoted } from "../net/text.ts";
import { type Command, type Flags, Option, type Runner } from "./cli.ts";
import { type Context, storeOptions } from "./context.ts";
import { type Call, leaf } from "./leaf.ts";
import { listenForSignals } from "./signals.ts";

const LISTEN = "127.0.0.1:4380";

export function serveCommand(run: Runner): Command {
  return leaf(
    {
      name: "serve",
      summary: "Share the local file store with other hosts over HTTP",
      // A host that serves may itself have joined by way of its own server.
      follows: "nothing",
      anywhere: true,
      stays: true,
      options: [
        new Option("--listen <address:port>", `where to listen (default ${LISTEN})`),
        new Option("--tls-cert <file>", "the server's certificate (PEM), for HTTPS"),
        new Option("--tls-key <file>", "the private key (PEM) of --tls-cert"),
        new Option("--token-file <file>", "holds the tokens that may read and write, one a line"),
        new Option("--read-token-file <file>", "holds the tokens that may only read, one a line"),
        new Option("--no-token", "let everybody read and write who can reach the address"),
      ],
      settings: ["store", "logFile", "logFormat", "quiet", "verbose"],
      after: "Runs in the foreground until SIGTERM or Ctrl-C. Files of tokens and of the\n" +
        "certificate are read again when they change. Idle connections are not limited:\n" +
        "where strangers reach the address, put a proxy in front that does.\n\nExample:\n" +
        "  flan store serve --listen 192.0.2.1:4380 --token-file /etc/flan/token\n" +
        "  flan up --store http://192.0.2.1:4380/network.json \\\n" +
        "    --store-token-file /etc/flan/token",
    },
    run,
    runServe,
  );
}

async function runServe({ context, flags }: Call): Promise<number> {
  const { clock, log } = context;
  const store = await localStore(context);
  const signals = listenForSignals();
  try {
    const serving = await serve(store, { ...serveOptions(flags), clock, log });
    log.log("info", `Serving ${store.path} at ${serving.url}`);
    const code = await signals.stopped;
    await serving.stop();
    log.log("info", "Stopped");
    return code;
  } finally {
    signals.close();
  }
}

async function localStore(context: Context): Promise<FileStore> {
  const store = await openStore(context.settings.store, storeOptions(context));
  if (store instanceof FileStore) return store;
  store.close();
  throw invalid(
    "store.serve",
    `Cannot serve ${store.url}: only a file store can be served`,
    "--store file:/var/lib/flan/network.json",
  );
}

function serveOptions(flags: Flags): Omit<ServeOptions, "clock" | "log"> {
  const path = (name: string) => flags[name] === undefined ? undefined : String(flags[name]);
  const { hostname, port } = placeIn(String(flags["listen"] ?? LISTEN));
  const [cert, key] = [path("tlsCert"), path("tlsKey")];
  const [tokenFile, readTokenFile] = [path("tokenFile"), path("readTokenFile")];
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid("store.serve", "Cannot serve over TLS: --tls-cert and --tls-key go together");
  }
  const open = tokenFile === undefined && readTokenFile === undefined;
  const shared = !isLoopback(hostname.includes(":") ? `[${hostname}]` : hostname);
  if (open && shared && flags["token"] !== false) {
    throw invalid(
      "store.serve",
      `Cannot serve at ${hostname} without a token: everybody who reaches it could take any subnet`,
      "--token-file FILE, or --no-token where that is meant",
    );
  }
  if (!open && flags["token"] === false) {
    throw invalid("store.serve", "Cannot serve with a token file and --no-token: they contradict each other");
  }
  const tls = cert === undefined || key === undefined ? undefined : { cert, key };
  return { hostname, port, tls, tokenFile, readTokenFile };
}

function placeIn(text: string): Place {
  try {
    return parsePlace(text, LISTEN);
  } catch (error) {
    throw invalid("store.serve", `Cannot listen at ${quoted(text)}: ${messageOf(error)}`);
  }
}
