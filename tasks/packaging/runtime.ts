/** What flan needs of its own tree at run time: the modules that its programs reach, and what they open by path. */
import { FlanError } from "../../net/errors.ts";

/** With a slash at its end. */
export const project = decodeURIComponent(new URL(import.meta.resolve("../../")).pathname);

/** What is started: flan, and what its demo runs on its hosts. */
const programs = ["main.ts", "cmd/demo/probe.ts"] as const;

/** The C library, where `tasks/build.ts` puts it and `ffi/proxy.ts` looks for it. */
export const proxyLibrary = `ffi/proxy/build/${Deno.build.arch}/libflan_proxy.so`;

export interface Runtime {
  /** Below the project's root, sorted. */
  readonly modules: readonly string[];
  /** Names of the import map's entries that these modules use. */
  readonly imports: readonly string[];
}

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly specifier: string }[];
  }[];
}

/** Asks Deno which modules the programs reach. Throws FlanError `failed` with its words where it cannot tell. */
export async function runtime(): Promise<Runtime> {
  const graphs = await Promise.all(programs.map(graphOf));
  const local = graphs.flatMap(({ modules }) => modules)
    .filter(({ specifier }) => specifier.startsWith(`file://${project}`));
  const bare = local.flatMap(({ dependencies = [] }) => dependencies.map(({ specifier }) => specifier))
    .filter((specifier) => /^[^.:]+$/.test(specifier));
  return {
    modules: sorted(
      local.map(({ specifier }) => decodeURIComponent(specifier.slice(`file://${project}`.length))),
    ),
    imports: sorted(bare),
  };
}

async function graphOf(program: string): Promise<Graph> {
  const args = ["info", "--json", project + program];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const text = new TextDecoder();
  if (!success) {
    const why = text.decode(stderr).trim();
    throw new FlanError(`Cannot tell the modules of ${program}: ${why}`, {
      op: "install.modules",
      code: "failed",
    });
  }
  return JSON.parse(text.decode(stdout)) as Graph;
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
