/** What an installation consists of: everything that is needed at run time, and nothing of the workshop. */
import assert from "node:assert/strict";
import { bundled, programs, proxyLibraryFile } from "../../../net/own_files.ts";
import { gunzipSync } from "node:zlib";
import { readConfigFile } from "../../../cmd/config_file.ts";
import { kebab, settingKeys } from "../../../cmd/settings.ts";
import { configTemplate } from "../../../tasks/packaging/config_template.ts";
import type { Entry } from "../../../tasks/packaging/entry.ts";
import { layout } from "../../../tasks/packaging/layout.ts";

const laid = new Map<string, Promise<Entry[]>>();

/** Made once: every test looks at the same one. The packages are gone by then, their names are not. */
function entries(prefix: string): Promise<Entry[]> {
  const made = laid.get(prefix) ?? lay(prefix);
  laid.set(prefix, made);
  return made;
}

async function lay(prefix: string): Promise<Entry[]> {
  const scratch = Deno.makeTempDirSync();
  try {
    return await layout(prefix, scratch);
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

async function paths(prefix: string): Promise<string[]> {
  return (await entries(prefix)).map(({ path }) => path);
}

Deno.test("layout: every program that flan starts is there, and the library that it opens", async () => {
  const all = await paths("/usr/local");
  for (const path of [...programs.map(bundled), proxyLibraryFile]) {
    assert.ok(all.includes(`/usr/local/lib/flan/${path}`));
  }
});

Deno.test("layout: sources, tests and tasks stay in the workshop", async () => {
  const wrong = (await paths("/usr/local")).filter((path) =>
    /\/lib\/flan\/(test|tasks|fixtures|systemd)\/|\.[ch]$|\.ts$/.test(path)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("layout: each package whose modules are in the programs comes with its licence", async () => {
  const all = (await paths("/usr/local")).filter((path) => path.includes("/licences/"));
  assert.deepEqual(
    all.map((path) => path.replace(/\.md$/, "")).sort(),
    ["@logtape/logtape", "js-yaml", "valibot"].map((name) => `/usr/local/lib/flan/licences/${name}/LICENSE`),
  );
});

Deno.test("layout: shells and Debian find the completions by themselves", async () => {
  const shares = async (prefix: string) =>
    (await paths(prefix)).filter((path) => path.startsWith(`${prefix}/share/`) && path.endsWith("flan"));
  assert.deepEqual(await shares("/usr"), [
    "/usr/share/bash-completion/completions/flan",
    "/usr/share/zsh/vendor-completions/_flan",
  ]);
  assert.ok((await shares("/usr/local")).includes("/usr/local/share/zsh/site-functions/_flan"));
});

Deno.test("config template: names every setting, says nothing, and is a config file", async () => {
  const file = Deno.makeTempFileSync({ suffix: ".yaml" });
  try {
    const text = configTemplate();
    for (const key of settingKeys) assert.match(text, new RegExp(`^#${kebab(key)}: .`, "m"));
    Deno.writeTextFileSync(file, text);
    assert.deepEqual((await readConfigFile(file))?.values, new Map());
    // Every line is YAML once its mark is gone.
    Deno.writeTextFileSync(file, text.replace(/^#(?! )/gm, ""));
    assert.deepEqual([...(await readConfigFile(file))!.values.keys()], settingKeys.map(kebab));
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("layout: the manual page is packed, without the time it was packed at", async () => {
  const entry = (await entries("/usr/local")).find(({ path }) =>
    path === "/usr/local/share/man/man8/flan.8.gz"
  );
  assert.ok(entry?.kind === "file" && entry.content instanceof Uint8Array);
  assert.match(new TextDecoder().decode(gunzipSync(entry.content)), /^\.Dt FLAN 8/m);
  // RFC 1952, 2.3.1: MTIME.
  assert.deepEqual([...entry.content.subarray(4, 8)], [0, 0, 0, 0]);
});

Deno.test("layout: units run the flan that they are installed with, and lie where systemd and iproute2 look", async () => {
  const files = (await entries("/usr/local")).filter(({ path }) => /systemd|iproute2/.test(path));
  assert.deepEqual(files.map(({ path }) => path).sort(), [
    "/etc/iproute2/rt_protos.d/flan.conf",
    "/usr/local/lib/systemd/network/50-flan.link",
    "/usr/local/lib/systemd/network/50-flan.network",
    "/usr/local/lib/systemd/system/flan-online.target",
    "/usr/local/lib/systemd/system/flan-wait-online.service",
    "/usr/local/lib/systemd/system/flan.service",
  ]);
  const commands = files.flatMap((entry) =>
    entry.kind === "file"
      ? [...String(entry.content).matchAll(/^Exec\w+=(\S+)/gm)].map(([, program]) => program)
      : []
  );
  assert.ok(commands.length >= 2);
  assert.deepEqual(new Set(commands), new Set(["/usr/local/bin/flan"]));
});
