import assert from "node:assert/strict";
import { gatewayOf, removeSubnetEnv, writeSubnetEnv } from "../../agent/subnet_env.ts";

/** `own` is flan's file, `shared` flannel's place, in a directory that does not exist yet. */
async function inDirectory(work: (own: string, shared: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-env-" });
  try {
    await work(`${dir}/flan/subnet.env`, `${dir}/flannel/subnet.env`);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

const read = (file: string) => Deno.readTextFileSync(file);
const exists = (file: string) => Deno.lstatSync(file).isFile;

Deno.test("subnet.env: the gateway is the subnet's first usable address", () => {
  assert.equal(gatewayOf("10.5.72.0/24"), "10.5.72.1/24");
  assert.equal(gatewayOf("10.5.72.128/25"), "10.5.72.129/25");
});

Deno.test("subnet.env: written in both places, once, and taken away from both", async () => {
  await inDirectory(async (own, shared) => {
    assert.equal(await writeSubnetEnv(own, "A=1\n", { shared }), true);
    assert.deepEqual([read(own), read(shared)], ["A=1\n", "A=1\n"]);
    const { ino } = Deno.statSync(own);
    assert.equal(await writeSubnetEnv(own, "A=1\n", { shared }), false);
    assert.equal(Deno.statSync(own).ino, ino, "what is as it should be is not written");
    assert.equal(await writeSubnetEnv(own, "A=2\n", { shared }), true);
    assert.deepEqual([read(own), read(shared)], ["A=2\n", "A=2\n"]);
    assert.equal(Deno.statSync(own).mode! & 0o777, 0o644);
    assert.deepEqual(removeSubnetEnv(own, { shared }), [shared, own]);
    assert.deepEqual(removeSubnetEnv(own, { shared }), []);
  });
});

Deno.test("subnet.env: without a shared place only flan's own file is written and removed", async () => {
  await inDirectory(async (own, shared) => {
    await writeSubnetEnv(own, "A=1\n", { shared: undefined });
    assert.throws(() => exists(shared), Deno.errors.NotFound);
    assert.deepEqual(removeSubnetEnv(own, { shared: undefined }), [own]);
  });
});

Deno.test("subnet.env: somebody else's file in flannel's place is neither changed nor removed", async () => {
  await inDirectory(async (own, shared) => {
    await writeSubnetEnv(own, "A=1\n", { shared });
    Deno.writeTextFileSync(shared, "FLANNEL=theirs\n");
    await writeSubnetEnv(own, "A=2\n", { shared });
    assert.deepEqual([read(own), read(shared)], ["A=2\n", "FLANNEL=theirs\n"]);
    assert.deepEqual(removeSubnetEnv(own, { shared }), [own]);
    assert.equal(read(shared), "FLANNEL=theirs\n");
  });
});

Deno.test("subnet.env: a run that was killed between the two files is finished by the next", async () => {
  await inDirectory(async (own, shared) => {
    await writeSubnetEnv(own, "A=1\n", { shared });
    Deno.writeTextFileSync(shared, "A=2\n");
    assert.equal(await writeSubnetEnv(own, "A=2\n", { shared }), true);
    assert.equal(await writeSubnetEnv(own, "A=3\n", { shared }), true);
    assert.deepEqual([read(own), read(shared)], ["A=3\n", "A=3\n"]);
  });
});

Deno.test("subnet.env: a link in flannel's place is not followed, nor is what it points to changed", async () => {
  await inDirectory(async (own, shared) => {
    await writeSubnetEnv(own, "A=1\n", { shared });
    const target = `${shared}.target`;
    Deno.writeTextFileSync(target, "A=1\n");
    Deno.removeSync(shared);
    Deno.symlinkSync(target, shared);
    await writeSubnetEnv(own, "A=2\n", { shared });
    assert.deepEqual([read(own), read(target)], ["A=2\n", "A=1\n"]);
    assert.ok(Deno.lstatSync(shared).isSymlink);
    // Even where our own file is no file either.
    Deno.removeSync(own);
    Deno.symlinkSync(target, own);
    await writeSubnetEnv(own, "A=3\n", { shared });
    assert.ok(Deno.lstatSync(shared).isSymlink);
    assert.deepEqual([Deno.lstatSync(own).isFile, read(target)], [true, "A=1\n"]);
  });
});

Deno.test("subnet.env: a place that cannot be written is named, with the system's reason", async () => {
  await inDirectory(async (own, shared) => {
    await writeSubnetEnv(own, "A=1\n", { shared: undefined });
    const inside = `${own}/subnet.env`;
    await assert.rejects(writeSubnetEnv(inside, "A=1\n", { shared }), {
      code: "failed",
      message: `Cannot read ${inside}: Not a directory (os error 20)`,
    });
    const below = `${own}/directory/subnet.env`;
    await assert.rejects(writeSubnetEnv(below, "A=1\n", { shared }), { code: "failed" });
    assert.throws(() => exists(shared), Deno.errors.NotFound);
  });
});
