/**
 * Where flan's own files are. It runs in two forms: from its source tree, and installed, where the modules
 * are bundled into the files of `bundle/`. In both, what this module ends up in lies one folder below flan's root.
 */

/** The folder of flan's own tree, absolute, with a slash at its end. */
export const rootFolder: string = decodeURIComponent(new URL(import.meta.resolve("../")).pathname);

const isBundled = !import.meta.url.endsWith(".ts");

/** What can be started: flan, and what its demo runs on its hosts. By their path in the source tree. */
export const programs = ["main.ts", "cmd/demo/probe.ts"] as const;
export type Program = typeof programs[number];

/** Where a program lies below the root of an installation. */
export function bundled(program: Program): string {
  return `bundle/${program.replace(/\.ts$/, ".js")}`;
}

/** The path of a program for `deno run`, of the same form as the flan that asks. */
export function programFile(program: Program): string {
  return rootFolder + (isBundled ? bundled(program) : program);
}

/** The C library of the udp backend, below the root of either form: `tasks/build.ts` puts it there. */
export const proxyLibraryFile = `ffi/proxy/build/${Deno.build.arch}/libflan_proxy.so`;
