import assert from "node:assert/strict";
import { parseEtcdUrl } from "../../../lease/etcd/endpoints.ts";
import { requireFitting } from "../../../lease/etcd/fitting.ts";
import type { Credentials } from "../../../lease/remote/credentials.ts";
import { FlanError } from "../../../net/errors.ts";
import { isPrintable } from "../../../net/text.ts";

const accepted: [text: string, url: string][] = [
  ["etcd://h1:2379,h2:2379/coreos.com/network", "etcd://h1:2379,h2:2379/coreos.com/network"],
  ["etcds://h1", "etcds://h1:2379/coreos.com/network"],
  ["etcd://h1/", "etcd://h1:2379/coreos.com/network"],
  ["ETCDS://H1.Example:4001,[::1]/Net", "etcds://h1.example:4001,[::1]:2379/Net"],
  ["etcd://[2001:DB8:0::1]:1/a", "etcd://[2001:db8::1]:1/a"],
  ["etcd://127.0.0.1//a///b//", "etcd://127.0.0.1:2379/a/b"],
  ["etcd://my_etcd-1:65535/a", "etcd://my_etcd-1:65535/a"],
  ["etcd://h1./a", "etcd://h1.:2379/a"],
  [
    `etcd://${Array.from({ length: 16 }, (_, i) => `h${i}`).join()}/a`,
    `etcd://${Array.from({ length: 16 }, (_, i) => `h${i}:2379`).join()}/a`,
  ],
];

for (const [text, url] of accepted) {
  Deno.test(`${text.slice(0, 60)} is opened, and is the same in its own spelling`, () => {
    assert.equal(parseEtcdUrl(text).url, url);
    assert.deepEqual(parseEtcdUrl(url), parseEtcdUrl(text));
  });
}

Deno.test("the endpoints and the prefix of a URL are those that are asked", () => {
  assert.deepEqual(parseEtcdUrl("etcds://H1,[::1]:7/x/y/"), {
    url: "etcds://h1:2379,[::1]:7/x/y",
    tls: true,
    origins: ["https://h1:2379", "https://[::1]:7"],
    prefix: "/x/y",
  });
  assert.deepEqual(parseEtcdUrl("etcd://h1").origins, ["http://h1:2379"]);
});

const refused: [text: string, says: RegExp, hint?: RegExp][] = [
  ["etcd:", /: \/\/ and a host are missing$/, /^--store etcd:\/\/h1:2379/],
  ["etcd:h1:2379", /: \/\/ and a host are missing$/, /etcd:\/\//],
  ["etcd:/coreos.com", /: \/\/ and a host are missing$/, /etcd:\/\//],
  ["etcd://", /: a host is empty$/, /etcd:\/\//],
  ["etcd:///coreos.com/network", /: a host is empty$/, /etcd:\/\//],
  ["etcd://h1,,h2/a", /: a host is empty$/],
  ["etcd://h1,/a", /: a host is empty$/],
  ["etcd://:2379/a", /: a host is empty$/],
  [
    "etcd://root:secret@h1:2379/a",
    /"etcd:\/\/…@h1:2379\/a": a user or password does not/,
    /--store-user NAME/,
  ],
  ["etcd://root:p@ss@h1/a", /"etcd:\/\/…@h1\/a"/, /--store-password-file/],
  ["etcd://h1/a?timeout=5s", /: it has a query$/],
  ["etcd://h1?x", /: it has a query$/],
  ["etcd://h1/a#b", /: it has a fragment$/],
  ["etcd://h1:0/a", /: "0" is not a port from 1 to 65535$/],
  ["etcd://h1:65536/a", /: "65536" is not a port/],
  ["etcd://h1:http/a", /: "http" is not a port/],
  ["etcd://h1:/a", /: "" is not a port/],
  ["etcd://h1:02379/a", /: "02379" is not a port/],
  ["etcd://::1/a", /: "::1" is not HOST:PORT$/, /brackets/],
  ["etcd://[::1/a", /"\[::1" is not HOST:PORT/],
  ["etcd://[127.0.0.1]/a", /only IPv6 stands in brackets$/],
  ["etcd://[::x]/a", /Cannot parse address "::x"/],
  ["etcd://127.1/a", /Cannot parse address "127\.1"/],
  ["etcd://010.0.0.1/a", /leading zero$/],
  ["etcd://h 1/a", /: "h 1" is not the name of a host$/],
  ["etcd://-h1/a", /: "-h1" is not the name of a host$/],
  ["etcd://a..b/a", /: "a\.\.b" is not the name of a host$/],
  ["etcd://bücher/a", /: "bücher" is not the name of a host$/],
  [`etcd://${"a".repeat(64)}/a`, /is not the name of a host$/],
  ["etcd://http://h1:2379/a", /: it holds a second "http:\/\/"/, /^--store etcd:\/\/h1:2379/],
  ["etcd://h1,H1:2379/a", /: it names h1:2379 twice$/],
  [`etcd://${Array.from({ length: 17 }, (_, i) => `h${i}`).join()}/a`, /: it names 17 endpoints, 16 at most/],
  ["etcd://h1/a/../b", /: its prefix has the part "\.\."$/],
  ["etcd://h1/./a", /: its prefix has the part "\."$/],
  ["etcd://h1/a%2Fb", /: its prefix has a space or %/],
  ["etcd://h1/a b", /: its prefix has a space or %/],
  [`etcd://h1/${"a".repeat(1001)}`, /: its prefix is longer than 1000 characters$/],
];

for (const [text, says, hint] of refused) {
  Deno.test(`${text.slice(0, 60)} is refused`, () => {
    assert.throws(() => parseEtcdUrl(text), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, says);
      assert.ok(error.message.startsWith("Cannot open store ") && isPrintable(error.message));
      assert.ok(!/secret|p@ss/.test(Deno.inspect(error)), "no password is shown");
      if (hint !== undefined) assert.match(error.hint!, hint);
      return true;
    });
  });
}

const unfit: [text: string, credentials: Credentials, says: RegExp, hint?: RegExp][] = [
  ["etcds://h1", { cert: "/c" }, /: --store-cert needs --store-key$/],
  ["etcds://h1", { key: "/k" }, /: --store-key needs --store-cert$/],
  ["etcd://h1", { user: "u" }, /: --store-user needs --store-password-file$/],
  ["etcd://h1", { passwordFile: "/p" }, /: --store-password-file needs --store-user$/],
  ["etcd://h1/a", { ca: "/c" }, /: --store-ca needs TLS$/, /^--store etcds:\/\/h1:2379\/a$/],
  ["etcd://h1", { cert: "/c", key: "/k" }, /: --store-cert and --store-key need TLS$/, /etcds:/],
  ["etcds://h1", { tokenFile: "/t" }, /: --store-token-file is for a store over HTTP$/, /--store-user/],
];

for (const [text, credentials, says, hint] of unfit) {
  Deno.test(`${text} does not go with ${Object.keys(credentials).join(" and ")}`, () => {
    assert.throws(() => requireFitting(parseEtcdUrl(text), credentials), (error) => {
      assert.ok(error instanceof FlanError && error.code === "invalid");
      assert.match(error.message, says);
      if (hint !== undefined) assert.match(error.hint!, hint);
      return true;
    });
  });
}

Deno.test("a CA alone, or nothing, is enough", () => {
  requireFitting(parseEtcdUrl("etcds://h1"), { ca: "/c" });
  requireFitting(parseEtcdUrl("etcds://h1"), {});
  requireFitting(parseEtcdUrl("etcds://h1"), {
    ca: "/c",
    cert: "/c",
    key: "/k",
    user: "u",
    passwordFile: "/p",
  });
});
