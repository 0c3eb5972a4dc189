/** What decides about a packet on a real kernel: policy rules, local addresses, and the filter of the reverse path. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { openKernel } from "../../ffi/netlink_kernel.ts";
import { KernelError } from "../../net/errors.ts";

const ready = Deno.uid() === 0;

function ip(...lines: readonly string[]): void {
  for (const line of lines) {
    const { success, stderr } = new Deno.Command("ip", { args: line.split(" ") }).outputSync();
    assert.ok(success, `ip ${line}: ${new TextDecoder().decode(stderr)}`);
  }
}

// The library is loaded once and stays: before the test, which is watched for what it leaves open.
if (ready) openKernel({ clock: systemClock }).close();

const refusedAs = (errno: readonly string[]) => (error: unknown) =>
  error instanceof KernelError && errno.includes(error.errno);

Deno.test({
  name: `a route match sees policy rules, local addresses and the reverse-path filter${
    ready ? "" : " (needs root)"
  }`,
  ignore: !ready,
  async fn(t) {
    ip("link add rm0 type veth peer name rm1", "link set rm0 up", "link set rm1 up");
    ip("address add 198.51.100.1/24 dev rm0", "route add 10.99.0.0/16 via 198.51.100.2");
    const kernel = openKernel({ clock: systemClock });
    const sysctl = (name: string, value: string) =>
      Deno.writeTextFileSync(`/proc/sys/net/ipv4/${name}`, value);
    try {
      await t.step("a local address is a route of type local", async () => {
        const { route } = await kernel.routeMatch("198.51.100.1");
        assert.deepEqual([route.type, route.link], ["local", "rm0"]);
      });
      await t.step("a rule's table is named", async () => {
        ip("route add 10.99.0.0/17 dev rm1 table 1234", "rule add to 10.99.1.0/24 lookup 1234");
        const { route, table } = await kernel.routeMatch("10.99.1.1");
        assert.deepEqual([route.destination, route.link, table], ["10.99.0.0/17", "rm1", 1234]);
        assert.equal((await kernel.routeMatch("10.99.2.1")).table, 254);
        ip("rule delete to 10.99.1.0/24 lookup 1234");
      });
      await t.step("a path MTU is that of the table that a rule chooses by the source", async () => {
        ip("address add 198.51.100.9/24 dev rm0", "rule add from 198.51.100.9 lookup 1235");
        ip("route add 10.99.0.0/17 via 198.51.100.2 mtu 1280 table 1235");
        const source = "198.51.100.9";
        const told = async (query?: { source: string }) => {
          const answer = await kernel.routeGet("10.99.1.1", query);
          return [answer.mtu, answer.source];
        };
        assert.deepEqual(await told(), [0, "198.51.100.1"]);
        assert.deepEqual(await told({ source }), [1280, source]);
        await assert.rejects(
          kernel.routeGet("10.99.1.1", { source, outgoing: "none0" }),
          (error) => refusedAs(["ENODEV"])(error) && (error as KernelError).op === "kernel.routeGet",
        );
        ip("rule delete from 198.51.100.9 lookup 1235", "address delete 198.51.100.9/24 dev rm0");
      });
      await t.step(
        "a packet that came in is dropped by the filter, or because nothing is forwarded",
        async () => {
          const from = { source: "10.99.3.3", incoming: "rm1" };
          sysctl("conf/rm1/forwarding", "0");
          await assert.rejects(kernel.routeMatch("10.99.2.1", from), refusedAs(["EHOSTUNREACH"]));
          sysctl("conf/rm1/forwarding", "1");
          sysctl("conf/rm1/rp_filter", "0");
          assert.equal((await kernel.routeMatch("10.99.2.1", from)).route.link, "rm0");
          sysctl("conf/rm1/rp_filter", "1");
          await assert.rejects(kernel.routeMatch("10.99.2.1", from), refusedAs(["EINVAL", "EXDEV"]));
          await assert.rejects(
            kernel.routeMatch("10.99.2.1", { ...from, incoming: "none0" }),
            refusedAs(["ENODEV"]),
          );
        },
      );
    } finally {
      kernel.close();
      ip("link delete rm0");
    }
  },
});
