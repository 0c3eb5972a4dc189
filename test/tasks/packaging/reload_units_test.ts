/** Who is told of new unit files, and what is said of one that refuses. */
import assert from "node:assert/strict";
import { reloadUnits } from "../../../tasks/packaging/reload_units.ts";

/** Runs `work` with a folder in which a `systemctl` does what the script says. */
async function withSystemctl(script: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "flan-reload-" });
  try {
    Deno.writeTextFileSync(`${folder}/systemctl`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("reload: a systemd that runs is told once, and where none runs nobody is", async () => {
  await withSystemctl('echo "$*" >> "$0.log"', async (folder) => {
    const systemctl = `${folder}/systemctl`;
    await reloadUnits({ booted: `${folder}/none`, systemctl });
    await reloadUnits({ booted: folder, systemctl });
    assert.equal(Deno.readTextFileSync(`${systemctl}.log`), "daemon-reload\n");
  });
});

Deno.test("reload: one that refuses or is not there is named, with what is left to do", async () => {
  await withSystemctl("echo no bus >&2; exit 1", async (folder) => {
    const hint = "systemctl daemon-reload";
    const refusing = reloadUnits({ booted: folder, systemctl: `${folder}/systemctl` });
    await assert.rejects(refusing, { message: /anew: no bus$/, hint });
    await assert.rejects(reloadUnits({ booted: folder, systemctl: `${folder}/none` }), {
      code: "failed",
      hint,
    });
  });
});
