/** `deno task test`: its groups of test files leave none out. */
import assert from "node:assert/strict";
import { type Grouped, writeGroups } from "../../tasks/groups.ts";

const root = new URL("../../", import.meta.url);

/** What is in each of the groups, and the files that are in none. */
function grouped(wanted: Grouped): { groups: string[][]; others: string[] } {
  const into = Deno.makeTempDirSync({ prefix: "flan-groups-" });
  try {
    const paths = writeGroups(wanted, { name: "some", into });
    const groups = paths.filter((path) => path.startsWith(into)).map((path) =>
      [...Deno.readTextFileSync(path).matchAll(/^import "(.*)";$/gm)].map(([, url]) =>
        url!.replace(root.href, "")
      )
    );
    return { groups, others: paths.filter((path) => !path.startsWith(into)) };
  } finally {
    Deno.removeSync(into, { recursive: true });
  }
}

Deno.test("groups: each test file of the folders and of those in them is in one group, and nothing else", () => {
  const { groups, others } = grouped({ folders: ["test/tasks", "test/ffi"], count: 5 });
  assert.deepEqual([groups.length, others], [5, []]);
  const all = groups.flat();
  assert.equal(new Set(all).size, all.length);
  for (
    const one of [
      "test/tasks/groups_test.ts",
      "test/tasks/packaging/layout_test.ts",
      "test/ffi/rtnetlink/recorded_test.ts",
    ]
  ) assert.ok(all.includes(one), one);
  assert.deepEqual(all.filter((one) => !/^test\/(tasks|ffi)\/.*_test\.ts$/.test(one)), []);
  const lengths = groups.map((group) => group.length);
  assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1, "of about the same length");
});

Deno.test("groups: one that is to stay apart is in none, and is not left out", () => {
  const alone = "test/ffi/memory_test.ts";
  const { groups, others } = grouped({ folders: ["test/ffi"], count: 2, apart: [alone] });
  assert.deepEqual([groups.length, others], [2, [alone]]);
  assert.ok(!groups.flat().includes(alone));
});

Deno.test("groups: there is none without a test, and no folder may be missing", () => {
  assert.deepEqual(grouped({ folders: [], count: 3 }), { groups: [], others: [] });
  assert.deepEqual(grouped({ folders: ["test/package"], count: 3 }).groups, [["test/package/deb_test.ts"]]);
  assert.throws(() => grouped({ folders: ["test/nowhere"], count: 3 }), Deno.errors.NotFound);
});

Deno.test("groups: a test in a group is run, and one that fails is told with its file", async () => {
  const into = Deno.makeTempDirSync({ prefix: "flan-groups-" });
  try {
    const path = `${into}/failing_test.ts`;
    Deno.writeTextFileSync(path, 'Deno.test("it fails", () => {\n  throw new Error("no");\n});\n');
    const group = `${into}/group_test.ts`;
    Deno.writeTextFileSync(group, `import ${JSON.stringify(path)};\n`);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-check", "--no-config", group],
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stdout), /^it fails => \S*failing_test\.ts:1:6$/m);
  } finally {
    Deno.removeSync(into, { recursive: true });
  }
});
