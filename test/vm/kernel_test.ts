/** The virtual machine has what the development machine may lack. */
import assert from "node:assert/strict";
import { must } from "../../cmd/demo/shell.ts";

Deno.test("vm: the kernel is a stock one, and makes ipip and wireguard links and ESP states", async () => {
  assert.match(Deno.osRelease(), /^\d+\.\d+.*-amd64$/);
  for (const type of ["ipip", "wireguard"]) {
    await must([
      "ip",
      "link",
      "add",
      "probe0",
      "type",
      type,
      ...(type === "ipip" ? ["local", "127.0.0.1"] : []),
    ]);
    await must(["ip", "link", "delete", "probe0"]);
  }
  assert.equal(await must(["ip", "xfrm", "state"]), "");
});
