/** The Debian package on a fresh Debian: installed, used, upgraded, removed and purged. */
import assert from "node:assert/strict";
import { version } from "../../cmd/version.ts";
import { architecture, buildPackage } from "../../tasks/packaging/debian.ts";
import { CleanRoot, mirrorOfApt, type Said } from "./clean_root.ts";

const needsRoot = Deno.uid() === 0 ? undefined : "needs root";

/** What the package depends on, and a fresh root lacks. */
const dependencies = ["libnl-3-200", "libnftables1"];

const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const flan = ["env", "-i", "/usr/bin/flan"];

function succeeded({ code, stdout, stderr }: Said): string {
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

Deno.test({
  name: `package: a fresh Debian has flan with it, and nothing of flan without it${
    needsRoot ? ` (${needsRoot})` : ""
  }`,
  ignore: needsRoot !== undefined,
  fn: async (t) => {
    const folder = Deno.makeTempDirSync({ prefix: "flan-deb-test-" });
    try {
      const [deb, root] = await Promise.all([
        buildPackage(folder),
        CleanRoot.create(mirrorOfApt(), dependencies),
      ]);
      await using _ = root;
      const before = await root.list();
      await root.copy(deb, "/tmp/flan.deb");
      const dpkg = (...args: string[]) => root.run(["dpkg", ...args]);

      await t.step("it is installed with what it depends on, and starts nothing", async () => {
        assert.match(deb, new RegExp(`/flan_${version}_${architecture}\\.deb$`));
        const told = await dpkg("--install", "/tmp/flan.deb");
        succeeded(told);
        assert.equal(told.stderr, "");
        assert.equal(succeeded(await dpkg("--verify", "flan")), "");
        assert.ok(
          !(await root.list()).some((path) => path.startsWith("/run/flan") || path === "/var/lib/flan"),
        );
      });

      await t.step("root and nobody run it with an empty environment, without a network", async () => {
        for (const as of [[], nobody]) {
          assert.equal(succeeded(await root.run([...as, ...flan, "--version"])), `${version}\n`);
          const shown = succeeded(await root.run([...as, ...flan, "config", "show", "-o", "tsv"]));
          assert.match(shown, /^run-dir\t\/run\/flan\tdefault$/m);
          assert.match(succeeded(await root.run([...as, ...flan, "schema", "status"])), /"flan\.status\/v1"/);
          const status = await root.run([...as, ...flan, "status"]);
          assert.equal(status.code, 3, status.stdout + status.stderr);
          assert.match(status.stdout + status.stderr, /^agent +not running$/m);
        }
      });

      await t.step("its libraries are opened: the kernel is asked, and the UDP proxy is there", async () => {
        assert.equal(succeeded(await root.run([...flan, "down"])), "nothing to do\n");
        const script = "Deno.dlopen(Deno.args[0], {})";
        const library = `/usr/lib/flan/ffi/proxy/build/${Deno.build.arch}/libflan_proxy.so`;
        succeeded(
          await root.run(["env", "DENO_DIR=/proc/nowhere", "/usr/lib/flan/deno", "eval", script, library]),
        );
      });

      await t.step("what an administrator has set survives an upgrade and a removal", async () => {
        const set = ["sh", "-c", "echo 'verbose: true' >> /etc/flan/config.yaml"];
        succeeded(await root.run(set));
        succeeded(await root.run(["touch", "/var/cache/flan/of-an-older-version"]));
        succeeded(await dpkg("--install", "/tmp/flan.deb"));
        const kept = succeeded(await root.run(["ls", "/var/cache/flan"]));
        assert.match(kept, /^v8_code_cache/m);
        assert.doesNotMatch(kept, /older/);
        assert.match(
          succeeded(await root.run([...flan, "config", "show", "-o", "tsv"])),
          /^verbose\ttrue\tfile$/m,
        );
        succeeded(await root.run(["mkdir", "-p", "/var/lib/flan", "/run/flan"]));
        succeeded(await root.run(["touch", "/var/lib/flan/host.json", "/run/flan/joined.json"]));
        const removed = await dpkg("--remove", "flan");
        succeeded(removed);
        assert.match(removed.stderr, /^flan: the network of this host stays up/m);
        const left = (await root.list()).filter((path) => /flan/.test(path) && !/dpkg|\/tmp\//.test(path));
        assert.deepEqual(left, [
          "/etc/flan",
          "/etc/flan/config.yaml",
          "/etc/iproute2/rt_protos.d/flan.conf",
          "/run/flan",
          "/run/flan/agent.lock",
          "/run/flan/joined.json",
          "/var/lib/flan",
          "/var/lib/flan/host.json",
        ]);
      });

      await t.step("purging it leaves the root as it was", async () => {
        succeeded(await root.run(["rm", "/run/flan/joined.json"]));
        succeeded(await root.run(["mkdir", "/etc/systemd/system/a.wants"]));
        succeeded(await root.run(["ln", "-s", "/x", "/etc/systemd/system/a.wants/flan.service"]));
        succeeded(await dpkg("--purge", "flan"));
        succeeded(await root.run(["rm", "/tmp/flan.deb"]));
        succeeded(await root.run(["rmdir", "/etc/systemd/system/a.wants"]));
        assert.deepEqual(await root.list(), before);
      });
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `package: a mirror that cannot be reached is named in the failure${
    needsRoot ? ` (${needsRoot})` : ""
  }`,
  ignore: needsRoot !== undefined,
  fn: async () => {
    const mirror = { url: "http://127.0.0.1:1/debian", suite: mirrorOfApt().suite };
    await assert.rejects(CleanRoot.create(mirror, []), /cannot be had from http:\/\/127\.0\.0\.1:1\/debian/);
  },
});
