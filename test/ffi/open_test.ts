import assert from "node:assert/strict";
import { FlanError } from "../../net/errors.ts";
import { library } from "../../ffi/open.ts";
import { libnl } from "../../ffi/libnl.ts";

const symbols = { nosuchsymbol: { parameters: [], result: "void" } } as const;

Deno.test("open: a library that is missing is one error with all that was tried and the package", () => {
  const missing = library({
    name: "libflan-none",
    files: ["libflan-none.so.1", "/nowhere/libflan-none.so"],
    symbols,
    hint: "apt-get install libflan-none",
  });
  assert.throws(missing, (error) => {
    assert.ok(error instanceof FlanError);
    assert.equal(error.code, "unsupported");
    assert.equal(error.hint, "apt-get install libflan-none");
    assert.match(
      error.message,
      /^Cannot open library libflan-none \(tried libflan-none\.so\.1, \/nowhere\/libflan-none\.so\): \/nowhere/,
    );
    assert.ok(error.cause instanceof Error);
    return true;
  });
});

Deno.test("open: a library without a symbol that is needed cannot be opened, and says which", () => {
  const wrong = library({ name: "libc", files: ["libc.so.6"], symbols, hint: "none" });
  assert.throws(wrong, /nosuchsymbol/);
});

Deno.test("open: importing the bindings opens nothing, and the second call gives the same symbols", async () => {
  const script = `
    import { libnl } from ${JSON.stringify(import.meta.resolve("../../ffi/libnl.ts"))};
    const mapped = () => Deno.readTextFileSync("/proc/self/maps").includes("libnl-3");
    const before = mapped();
    const same = libnl() === libnl();
    console.log(before, same, mapped());
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), "false true true");
  assert.equal(typeof libnl, "function");
});
