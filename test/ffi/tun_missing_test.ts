/** Hosts without TUN devices: what is missing is named, with what brings it. */
import assert from "node:assert/strict";
import { run, withSystem } from "./system.ts";

const at = (path: string) => JSON.stringify(import.meta.resolve(path));

/** What a kernel says whose /dev/net holds what `prepare` makes there. */
async function asked(prepare: string): Promise<{ require: unknown; apply: unknown }> {
  const script = `
    import { openKernel } from ${at("../../ffi/netlink_kernel.ts")};
    import { systemClock } from ${at("../../agent/clock.ts")};
    import { tunDevice } from ${at("../conformance/kernel_tun.ts")};
    const kernel = openKernel({ clock: systemClock });
    const shown = ({ code, hint, message }) => ({ code, hint, message });
    const require = await kernel.require(["tun"]).then(() => "fine", shown);
    const [failure] = await kernel.apply([{ verb: "add", object: tunDevice }]);
    kernel.close();
    console.log(JSON.stringify({ require, apply: shown(failure.error) }));
  `;
  const bounded = "exec setpriv --bounding-set -dac_override,-dac_read_search";
  const shell = `mount -t tmpfs tmpfs /dev/net; ${prepare} ${bounded} "$0" eval "$1"`;
  return JSON.parse(await run("unshare", "--mount", "sh", "-ec", shell, Deno.execPath(), script));
}

const cases: readonly [string, string, { code: string; hint: string; why: string; apply: string }][] = [
  ["no control device", "", {
    code: "unsupported",
    hint: "modprobe tun",
    why: "No such file or directory (ENOENT)",
    apply: "the kernel has no TUN devices, No such file or directory (ENOENT)",
  }],
  ["a control device and no module behind it", "mknod /dev/net/tun c 10 254;", {
    code: "unsupported",
    hint: "modprobe tun",
    why: "No such device (ENODEV)",
    apply: "the kernel has no TUN devices, No such device (ENODEV)",
  }],
];

for (const [what, prepare, { apply, code, hint, why }] of cases) {
  Deno.test(`tun: ${what} is ${code}, with the command that helps`, () =>
    withSystem(async () => {
      assert.deepEqual(await asked(prepare), {
        require: { code, hint, message: `Cannot use TUN devices: /dev/net/tun: ${why}` },
        apply: { code, hint, message: `Cannot add link flan0: ${apply}` },
      });
    }));
}

Deno.test("tun: a control device that may not be opened is not permitted", () =>
  withSystem(async () => {
    const { require } = await asked("mknod -m 0 /dev/net/tun c 10 200;");
    assert.deepEqual(require, {
      code: "not-permitted",
      hint: "run as root",
      message: "Cannot use TUN devices: /dev/net/tun: Permission denied (EACCES)",
    });
  }));
