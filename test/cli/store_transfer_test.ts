/** `flan store export` and `import`, as a person moves a network from one store to another. */
import assert from "node:assert/strict";
import { assertGolden, assertGoldenJson } from "./golden.ts";
import { fixturePath, Sandbox } from "./sandbox.ts";

function withNetwork(): Sandbox {
  const sandbox = new Sandbox();
  Deno.copyFileSync(fixturePath("json/v1/network.json"), sandbox.store);
  return sandbox;
}

Deno.test("a network goes through a file into another store, once, and a second time changes nothing", async () => {
  using sandbox = withNetwork();
  const file = `${sandbox.dir}/export.json`;
  const exported = await sandbox.flan(["store", "export", file]);
  assert.deepEqual([exported.code, exported.stdout], [0, ""]);
  assert.match(
    exported.stderr,
    /Exported the network config, 4 leases and 0 past ones to \S+export\.json\n$/,
  );
  assert.equal(Deno.readTextFileSync(file), Deno.readTextFileSync(sandbox.store));
  assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);

  const other = `file:${sandbox.dir}/other.json`;
  const planned = await sandbox.flan(["store", "import", file, "--plan", "--store", other]);
  assert.deepEqual([planned.code, planned.stderr], [0, "flan: would create 5\n"]);
  assertGolden("text/store-import-plan.txt", planned.stdout);
  assert.throws(() => Deno.statSync(`${sandbox.dir}/other.json`), Deno.errors.NotFound);

  const done = await sandbox.flan(["store", "import", file, "--store", other]);
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, planned.stdout, "flan: created 5\n"]);
  const before = Deno.readTextFileSync(`${sandbox.dir}/other.json`);
  const again = await sandbox.flan(["store", "import", file, "--store", other, "--json"]);
  assert.deepEqual([again.code, again.stderr], [0, "flan: nothing was changed; 5 stood there already\n"]);
  assertGoldenJson("store-import", again.stdout);
  assert.equal(Deno.readTextFileSync(`${sandbox.dir}/other.json`), before);
});

Deno.test("an export replaces nothing that is there unless it is forced, and nothing that is no file at all", async () => {
  using sandbox = withNetwork();
  const other = sandbox.write("other.json", "the backup of last week");
  const refused = await sandbox.flan(["store", "export", other]);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(
    refused.stderr,
    /^flan: Cannot export to \S+other\.json: a file of 23 bytes written 20\S+Z is there already\nhint: add --force/,
  );
  assert.equal(Deno.readTextFileSync(other), "the backup of last week");
  assert.equal((await sandbox.flan(["store", "export", other, "--force"])).code, 0);
  assert.equal(Deno.readTextFileSync(other), Deno.readTextFileSync(sandbox.store));
  const link = `${sandbox.dir}/link.json`;
  Deno.symlinkSync(other, link);
  for (const place of [link, sandbox.dir]) {
    const { code, stderr } = await sandbox.flan(["store", "export", place, "--force"]);
    assert.equal(code, 2);
    assert.match(stderr, /: it is there already, and no file\n/);
  }
  assert.equal(Deno.lstatSync(link).isSymlink, true);
});

Deno.test("a store without a network is not exported: its place was mistyped", async () => {
  using sandbox = withNetwork();
  const file = `${sandbox.dir}/export.json`;
  const empty = ["--store", `file:${sandbox.dir}/netwrok.json`];
  for (const to of [[], [file]]) {
    const { code, stdout, stderr } = await sandbox.flan(["store", "export", ...to, ...empty]);
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, /^flan: Cannot find a network in file:\S+netwrok\.json: none was started there\n/);
  }
  assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
});

Deno.test("a network goes from store to store by a pipe", async () => {
  using sandbox = withNetwork();
  const exporting = sandbox.command(["store", "export", "--quiet"]).spawn();
  const importing = new Deno.Command("sh", {
    args: [
      "-c",
      'exec "$@" store import - --store "$OTHER" -o tsv',
      "sh",
      Deno.execPath(),
      "run",
      "-q",
      "-A",
      mainFile,
    ],
    env: { OTHER: `file:${sandbox.dir}/other.json`, FLAN_CONFIG: `${sandbox.dir}/config.yaml` },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await exporting.stdout.pipeTo(importing.stdin);
  const { code, stdout } = await importing.output();
  assert.equal(code, 0);
  assertGolden("tsv/v1/store-import.tsv", new TextDecoder().decode(stdout));
  assert.equal((await exporting.status).code, 0);
  assert.equal(await exporting.stderr.text(), "");
});

const mainFile = decodeURIComponent(new URL(import.meta.resolve("../../main.ts")).pathname);

/** A document over HTTP, compared and swapped by its ETag, on a disk that has no room for leases. */
function smallServer(): { url: string; server: Deno.HttpServer } {
  let [text, revision] = ["", 0];
  const tag = () => `"${revision}"`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const body = await request.text();
    const [is, isNot] = [request.headers.get("if-match"), request.headers.get("if-none-match")];
    const there = text !== "";
    if (request.method === "GET") {
      if (there && isNot === tag()) return new Response(null, { status: 304, headers: { etag: tag() } });
      return there ? new Response(text, { headers: { etag: tag() } }) : new Response(null, { status: 404 });
    }
    if (is !== null && (!there || is !== tag()) || isNot === "*" && there) {
      return new Response(null, { status: 412 });
    }
    if (/"10\.5\.\d+\.0-24"/.test(body)) return new Response(null, { status: 507 });
    [text, revision] = [request.method === "DELETE" ? "" : body, revision + 1];
    return new Response(null, { status: 204, headers: { etag: tag() } });
  });
  return { url: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/x.json`, server };
}

Deno.test("an import that the store ends half-way says what it did, and exits with 4", async () => {
  using sandbox = withNetwork();
  const { url, server } = smallServer();
  try {
    const { code, stdout, stderr } = await sandbox.flan([
      "store",
      "import",
      sandbox.store,
      "-o",
      "tsv",
      "--store",
      url,
    ]);
    assert.equal(code, 4, stderr);
    const rows = stdout.trimEnd().split("\n").map((line) => line.split("\t").slice(0, 2).join(" "));
    assert.deepEqual(rows, [
      "create config",
      ...[2, 3, 4, 5].map((i) => `failed 10.5.${i}.0/24`),
    ]);
    assert.match(stderr, /^flan: created 1; 4 failed\nflan: Cannot .*507/);
  } finally {
    await server.shutdown();
  }
});

Deno.test("conflicts exit with 3 after the rest was done, and another network is refused with 1 as it was", async () => {
  using sandbox = withNetwork();
  const document = Deno.readTextFileSync(sandbox.store);
  const taken = document.replace('"node":"22222222222222bb"', '"node":"other"').replace(
    /^"10\.5\.4.*\n/m,
    "",
  );
  const other = sandbox.write("other.json", taken);
  const { code, stdout, stderr } = await sandbox.flan([
    "store",
    "import",
    sandbox.store,
    "--store",
    `file:${other}`,
  ]);
  assert.deepEqual([code, stderr], [3, "flan: created 1; 3 stood there already, 1 in conflict\n"]);
  assertGolden("text/store-import-conflict.txt", stdout);

  const foreign = sandbox.write("foreign.json", document.replace("10.5.0.0/16", "10.4.0.0/15"));
  const before = Deno.readTextFileSync(foreign);
  const refused = await sandbox.flan(["store", "import", sandbox.store, "--store", `file:${foreign}`]);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^flan: Cannot import into file:\S+: another network config stands there/);
  assert.equal(Deno.readTextFileSync(foreign), before);
  const planned = await sandbox.flan([
    "store",
    "import",
    sandbox.store,
    "--plan",
    "--store",
    `file:${foreign}`,
  ]);
  assert.equal(planned.code, 3);
});
