/** Asking a kernel for a type of links: the answer says whether it has them, and nothing is made. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { errnoNumber } from "../../ffi/errno.ts";
import { requireLinkKind } from "../../ffi/link_kinds.ts";
import { NetlinkRequests } from "../../ffi/netlink_requests.ts";
import { NLMSG_ERROR } from "../../ffi/rtnetlink/constants.ts";
import { message, refusal, scripted } from "./scripted_socket.ts";
import { shown, withSystem } from "./system.ts";

/** Asks a kernel that answers with `errno`. */
function ask(errno: string): void {
  const socket = scripted(([sequence]) => [
    message(NLMSG_ERROR, { sequence: sequence!, payload: refusal(errnoNumber(errno)!, 16) }),
  ]);
  const requests = new NetlinkRequests(systemClock, socket);
  try {
    requireLinkKind(requests, "vxlan");
  } finally {
    requests.close();
  }
}

// The library is loaded once and stays: before the tests, which are watched for what they leave open.
ask("EPERM");

Deno.test("link kinds: a kernel that wants to know more has them", () => ask("EINVAL"));

Deno.test("link kinds: who may not ask is not told that they are missing", () => ask("EPERM"));

Deno.test("link kinds: a kernel without them is named with what brings them", () => {
  assert.throws(() => ask("EOPNOTSUPP"), {
    code: "unsupported",
    message:
      "Cannot use vxlan links: the kernel has no module for them, Operation not supported (EOPNOTSUPP)",
    hint: "modprobe vxlan",
  });
});

Deno.test("link kinds: whatever Linux answers, asking makes no link", async () => {
  await withSystem(async (_, kernel) => {
    const before = await shown("ip", "link");
    await kernel.require(["vxlan"]);
    // Not every kernel has it.
    await kernel.require(["ipip"]).catch((error) => assert.equal(error.code, "unsupported"));
    assert.deepEqual(await shown("ip", "link"), before);
  });
});
