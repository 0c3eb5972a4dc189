/** Which secrets would cross a network as plain text. */
import assert from "node:assert/strict";
import { secretInClear } from "../../lease/remote/in_clear.ts";

const token = { tokenFile: "/etc/token" };
const user = { user: "flan", passwordFile: "/etc/password" };

Deno.test("a token or password to another machine without TLS is told of, with what protects it", () => {
  const clear = secretInClear("http://192.0.2.1:4380/network.json", token);
  assert.equal(clear?.code, "token-in-clear");
  assert.match(clear!.message, /^The token goes to 192\.0\.2\.1:4380 as plain text/);
  const etcd = secretInClear("etcd://127.0.0.1:2379,h2:2379,h3/net", user);
  assert.equal(etcd?.code, "password-in-clear");
  assert.match(etcd!.message, /^The password goes to h2:2379, h3:2379 as plain text/);
  assert.match(etcd!.hint!, /^etcds: /);
});

Deno.test("nothing is told where TLS, this machine or nobody's secret is concerned", () => {
  for (const url of ["https://h/x.json", "http://127.0.0.1:1/x.json", "http://[::1]:1/x.json"]) {
    assert.equal(secretInClear(url, token), undefined, url);
  }
  for (const url of ["etcds://h/net", "etcd://localhost/net", "etcd://[::1]:2379"]) {
    assert.equal(secretInClear(url, user), undefined, url);
  }
  for (const url of ["http://h/x.json", "etcd://h/net", "file:/a.json"]) {
    assert.equal(secretInClear(url, {}), undefined, url);
  }
});
