import assert from "node:assert/strict";
import { errnoName, errnoNumber, errnoText } from "../../ffi/errno.ts";

Deno.test("errno: the numbers are Linux's, and names and texts are those of strerror(3)", () => {
  const known: [number, string, string][] = [
    [1, "EPERM", "Operation not permitted"],
    [2, "ENOENT", "No such file or directory"],
    [11, "EAGAIN", "Resource temporarily unavailable"],
    [17, "EEXIST", "File exists"],
    [35, "EDEADLK", "Resource deadlock avoided"],
    [95, "EOPNOTSUPP", "Operation not supported"],
    [99, "EADDRNOTAVAIL", "Cannot assign requested address"],
    [100, "ENETDOWN", "Network is down"],
    [105, "ENOBUFS", "No buffer space available"],
    [113, "EHOSTUNREACH", "No route to host"],
  ];
  for (const [number, name, text] of known) {
    assert.equal(errnoName(number), name);
    assert.equal(errnoText(number), text);
    assert.equal(errnoNumber(name), number);
  }
});

Deno.test("errno: a number and a name that Linux does not have are answered, not guessed", () => {
  assert.equal(errnoName(4242), "errno 4242");
  assert.equal(errnoText(4242), "Unknown error");
  assert.equal(errnoNumber("EFLAN"), undefined);
});
