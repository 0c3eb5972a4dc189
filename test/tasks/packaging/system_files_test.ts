/** The unit files and what else a host reads of flan, judged by those who read it. */
import assert from "node:assert/strict";
import { rootFolder } from "../../../net/own_files.ts";
import { backendFor } from "../../../backends/registry.ts";
import { backendTypes } from "../../../backends/types.ts";
import { ROUTE_PROTOCOL } from "../../../kernel/state.ts";
import { parseNetworkConfig } from "../../../lease/network.ts";
import { systemFiles } from "../../../tasks/packaging/system_files.ts";

/** By the end of their path. */
function contents(prefix: string): Map<string, string> {
  return new Map(systemFiles(prefix).map(({ path, content }) => [path.split("/").at(-1)!, String(content)]));
}

Deno.test("system files: each file of systemd/ has its place, and names the flan that is installed there", () => {
  const files = systemFiles("/usr/local");
  assert.equal(files.length, [...Deno.readDirSync(`${rootFolder}systemd`)].length);
  assert.deepEqual(
    files.map(({ path }) => path).filter((path) => !path.startsWith("/usr/local/lib/systemd/")),
    [
      "/etc/iproute2/rt_protos.d/flan.conf",
    ],
  );
  for (const { content } of files) assert.ok(!String(content).includes("@"), String(content));
  assert.match(contents("/usr").get("flan.service")!, /^ExecStart=\/usr\/bin\/flan up$/m);
});

Deno.test("units: systemd-analyze verify finds nothing to say", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-units-" });
  try {
    // What is started must be there.
    Deno.mkdirSync(`${dir}/bin`);
    Deno.writeTextFileSync(`${dir}/bin/flan`, "#!/bin/sh\n", { mode: 0o755 });
    const units = systemFiles(dir).filter(({ path }) => path.includes("/systemd/system/"));
    const files = units.map(({ path, content }) => {
      const file = `${dir}/${path.split("/").at(-1)}`;
      Deno.writeTextFileSync(file, String(content));
      return file;
    });
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", ...files],
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.deepEqual([files.length, code, said], [3, 0, ""]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("units: the target is not reached where waiting for the network fails, and one unit says so", () => {
  const files = contents("/usr");
  const target = files.get("flan-online.target")!.split("\n");
  for (const line of ["Requires=flan-wait-online.service", "After=flan-wait-online.service"]) {
    assert.ok(target.includes(line), line);
  }
  assert.doesNotMatch(target.join("\n"), /^Wants=/m);
  assert.doesNotMatch(files.get("flan-wait-online.service")!, /^(WantedBy|RequiredBy)=/m);
});

Deno.test("units: stopping the agent leaves the proxy and /run/flan, and is no failure", () => {
  const unit = contents("/usr").get("flan.service")!;
  for (
    const line of [
      "Type=notify",
      "NotifyAccess=main",
      "KillMode=process",
      "RuntimeDirectoryPreserve=yes",
      "SuccessExitStatus=129 130 143",
      "Restart=on-failure",
    ]
  ) assert.ok(unit.split("\n").includes(line), line);
});

Deno.test("udev and systemd-networkd keep their hands off the device of every backend, and off no other", () => {
  const files = contents("/usr");
  const matches = ["50-flan.link", "50-flan.network"].map((name) =>
    /^(?:OriginalName|Name)=(.*)$/m.exec(files.get(name)!)![1]!
  );
  assert.equal(matches[0], matches[1]);
  // Of fnmatch(3), `*` and `[0-9]` are used.
  const globs = matches[0]!.split(" ").map((glob) =>
    new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`)
  );
  const isOurs = (name: string) => globs.some((glob) => glob.test(name));
  for (const Type of backendTypes) {
    const config = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type, VNI: 4096 } });
    for (const device of backendFor(Type).devices(config)) assert.ok(isOurs(device), `${Type}: ${device}`);
  }
  assert.ok(isOurs("flan-v6.1"));
  for (const name of ["eth0", "flannel.1", "flannel0", "flan"]) assert.ok(!isOurs(name), name);
});

Deno.test("iproute2 knows the mark of flan's routes by its name", () => {
  assert.match(contents("/usr").get("flan.conf")!, new RegExp(`^${ROUTE_PROTOCOL}\\tflan$`, "m"));
});
