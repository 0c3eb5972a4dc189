/** The log of a program is emptied when it is too large, while the program goes on writing. */
import assert from "node:assert/strict";
import { boundLog, MAX_LOG } from "../../wireguard/bounded_log.ts";

Deno.test("bounded log: it is emptied beyond its bound only, and written on from its beginning", () => {
  const path = Deno.makeTempFileSync();
  try {
    using log = Deno.openSync(path, { append: true });
    log.writeSync(new Uint8Array(MAX_LOG));
    boundLog(path);
    assert.equal(Deno.statSync(path).size, MAX_LOG);
    log.writeSync(new Uint8Array(1));
    boundLog(path);
    assert.equal(Deno.statSync(path).size, 0);
    log.writeSync(new Uint8Array(3));
    assert.equal(Deno.statSync(path).size, 3);
  } finally {
    Deno.removeSync(path);
  }
  boundLog(path);
});
