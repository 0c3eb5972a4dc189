/** What the client of a remote store does with this host's files and surroundings. */
import assert from "node:assert/strict";
import { HttpClient } from "../../../lease/remote/http_client.ts";
import { readCredential } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";

function serve(name: string): { port: number; heard: string[]; server: Deno.HttpServer } {
  const heard: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    heard.push(request.headers.get("authorization") ?? "");
    return new Response(name);
  });
  return { port: (server.addr as Deno.NetAddr).port, heard, server };
}

/** In a process of its own: the environment is that of all tests that run at the same time. */
const asker = `
  import { HttpClient } from ${JSON.stringify(import.meta.resolve("../../../lease/remote/http_client.ts"))};
  const client = new HttpClient({});
  for (const round of ["the first client", "the one after a reset"]) {
    const headers = { authorization: "Bearer secret" };
    const answer = await fetch(Deno.env.get("STORE"), { client: client.get(), headers });
    console.log(await answer.text());
    client.reset();
  }
  for (const name of Deno.env.get("NAMES").split(" ")) console.log(Deno.env.get(name));
`;

Deno.test("a store is reached directly, whatever proxy the environment names, and the environment stays", async () => {
  const [proxy, store] = [serve("proxy"), serve("store")];
  const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
  const value = `http://127.0.0.1:${proxy.port}`;
  const env = {
    ...Object.fromEntries(names.map((name) => [name, value])),
    STORE: `http://127.0.0.1:${store.port}/x`,
    NAMES: names.join(" "),
  };
  try {
    const child = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", asker], env });
    const { stdout, stderr } = await child.output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.deepEqual(lines, ["store", "store", ...names.map(() => value)], new TextDecoder().decode(stderr));
    assert.deepEqual(proxy.heard, []);
  } finally {
    await Promise.all([proxy.server.shutdown(), store.server.shutdown()]);
  }
});

const unreadable: [what: string, path: (dir: string) => string, why: RegExp][] = [
  ["is not there", (dir) => `${dir}/none`, /No such file/],
  ["stands below a file", (dir) => `${dir}/file/x`, /Not a directory/],
  ["is a link to itself", (dir) => `${dir}/loop`, /Too many levels of symbolic links|Filesystem loop/],
  ["cannot be read", () => "/proc/self/mem", /Input\/output error/],
  ["has too long a name", (dir) => `${dir}/${"x".repeat(300)}`, /File ?name too long/],
  ["is a directory", (dir) => dir, /it is not a file/],
];

for (const [what, path, why] of unreadable) {
  Deno.test(`a credential that ${what} is a setting that somebody can correct`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "flan-credential-" });
    try {
      Deno.writeTextFileSync(`${dir}/file`, "secret");
      Deno.symlinkSync(`${dir}/loop`, `${dir}/loop`);
      for (
        const read of [
          () => readCredential(path(dir), "store-token-file"),
          () => new HttpClient({ ca: path(dir) }).get(),
        ]
      ) {
        assert.throws(read, (error) => {
          assert.ok(error instanceof FlanError && error.code === "invalid", String(error));
          assert.match(error.message, /^Cannot use --store-(token-file|ca) \//);
          assert.match(error.message, why);
          return true;
        });
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
