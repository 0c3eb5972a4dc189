/**
 * The flan that agents in the machine run: installed outside of it, and compiled there as far as they use it, since to
 * start the source tree's takes an emulated machine twice as long.
 */
import { run } from "../../cmd/demo/shell.ts";
import { Installed } from "../lib/installed.ts";

const VARIABLE = "TEST_FLAN";

/** Deno keeps what it compiles for a command when that ends; none of these touches anything outside its folder. */
const COMMANDS = [
  ["up", "--dry-run", "--allow-overlap", "--backend", "ipsec"],
  ["up", "--dry-run", "--allow-overlap"],
  ["status"],
  ["routes", "diff"],
  ["config", "get"],
  ["down"],
];

/** It goes when it is disposed of. */
export async function installedFlan(): Promise<Installed> {
  const flan = await Installed.create();
  const dir = Deno.makeTempDirSync({ prefix: "flan-vm-" });
  const env = {
    ...flan.env,
    FLAN_STORE: `file:${dir}/network.json`,
    FLAN_RUN_DIR: `${dir}/run`,
    FLAN_STATE_DIR: `${dir}/state`,
  };
  try {
    // Some fail where there is no network: what it did until then is compiled all the same.
    for (const args of COMMANDS) await run([flan.flan, ...args], env);
    return flan;
  } catch (error) {
    flan[Symbol.dispose]();
    throw error;
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** By what the machine is told of it. */
export function guestEnvironment({ command }: Installed): Readonly<Record<string, string>> {
  return { [VARIABLE]: JSON.stringify(command) };
}

/** What runs it, in the machine; undefined elsewhere. */
export function guestFlan(): readonly [string, ...string[]] | undefined {
  const said = Deno.env.get(VARIABLE);
  return said === undefined ? undefined : JSON.parse(said);
}
