/** Where a flan that runs from its source tree finds itself; the bundled one is tested with what makes it. */
import assert from "node:assert/strict";
import { bundled, programFile, programs, rootFolder } from "../../net/own_files.ts";

Deno.test("own files: in the source tree the programs are its modules, below its root", () => {
  assert.ok(rootFolder.startsWith("/") && rootFolder.endsWith("/"));
  for (const program of programs) {
    assert.equal(programFile(program), rootFolder + program);
    assert.ok(Deno.statSync(programFile(program)).isFile);
  }
});

Deno.test("own files: an installation has each program once, a folder below its root", () => {
  assert.deepEqual(programs.map(bundled), ["bundle/main.js", "bundle/cmd/demo/probe.js"]);
});
