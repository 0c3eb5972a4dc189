/** What answers that are cheap to send cost whoever reads them: a process with a small heap must live through them. */
import assert from "node:assert/strict";
import { HostileServer, reply } from "../../lib/hostile_server.ts";

/** MiB of heap that V8 may use. */
const HEAP = 128;
const header = '"header":{"revision":"9","cluster_id":"1","raft_term":"1"}';
const root = "/coreos.com/network/";

/** What a process with a small heap makes of an etcd that answers every call by `answer`. */
async function readingFrom(answer: () => string): Promise<string> {
  await using server = new HostileServer(({ write }) => write(reply(answer())));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-all", `--v8-flags=--max-old-space-size=${HEAP}`],
      new URL("../../lib/reading_etcd.ts", import.meta.url).pathname,
      server.origin.replace("http:", "etcd:"),
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return `${text.decode(stdout)}${text.decode(stderr)}`.trim();
}

/** Some of these together are as much as one answer may have. */
const almost = (unit: string) => unit.repeat(Math.floor(7.9 * 1024 * 1024 / unit.length));
const much = (unit: string) => unit.repeat(Math.floor(62 * 1024 * 1024 / unit.length));

const answers: Readonly<Record<string, () => string>> = {
  "64 MB of objects": () => `{${header},"kvs":[${much("{},")}{}]}`,
  "an answer full of objects": () => `{${header},"kvs":[${almost("{},")}{}]}`,
  "an answer full of arrays": () => `{${header},"kvs":[${almost("[],")}{}]}`,
  "an answer full of numbers": () => `{${header},"kvs":[${almost("1,")}{}]}`,
  "an answer full of names": () => {
    let names = "";
    for (let i = 0; names.length < 7.9 * 1024 * 1024; i++) names += `"${i}":0,`;
    return `{${header},"kvs":{${names}"x":1}}`;
  },
  "an answer that is nested deeply": () => `{${header},"kvs":${almost("[")}`,
};

for (const [name, answer] of Object.entries(answers)) {
  Deno.test(`a process with a small heap lives through ${name}`, async () => {
    const text = answer();
    assert.equal(await readingFrom(() => text), "store-reply");
  });
}

Deno.test("a process with a small heap lives through pages of values that are full of objects", async () => {
  // Each below what is parsed of one, and all together above what is borne.
  const value = btoa(`[${"{},".repeat(3000)}{}]`);
  let key = 0;
  const page = () => {
    const kvs = Array.from({ length: 500 }, () => {
      const name = btoa(`${root}subnets/${String(key++).padStart(9, "0")}`);
      return `{"key":"${name}","mod_revision":"3","value":"${value}"}`;
    });
    return `{${header},"more":${key < 2000},"kvs":[${kvs}]}`;
  };
  assert.equal(await readingFrom(page), "store-reply");
});

Deno.test("a process with a small heap reads the largest network that flannel can have", async () => {
  const value = btoa(
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
  );
  let number = 0;
  const page = () => {
    const kvs: string[] = [];
    for (; kvs.length < 4096 && number < 65_536; number++) {
      const name = btoa(`${root}subnets/10.${String(number).padStart(5, "0")}`);
      kvs.push(`{"key":"${name}","mod_revision":"3","lease":"7587848390","value":"${value}"}`);
    }
    return `{${header},"more":${number < 65_536},"kvs":[${kvs}]}`;
  };
  assert.equal(await readingFrom(page), "65536 leases");
});
