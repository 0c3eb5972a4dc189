/** The options of the extension backend: shell commands, as flannel documents them, and the last one as its samples have it. */
import { OptionReader, type RawOptions } from "./options.ts";

/** "" for one that is not given. */
export interface ExtensionOptions {
  /** Before the lease; what it says is announced. */
  readonly preStartup: string;
  /** Once this host has its subnet. */
  readonly postStartup: string;
  /** When this host leaves its subnet. */
  readonly shutdown: string;
  readonly subnetAdd: string;
  readonly subnetRemove: string;
}

/** Characters; a longer program belongs into a file. */
const MAX_COMMAND = 16 * 1024;

const known = [
  "prestartupcommand",
  "poststartupcommand",
  "shutdowncommand",
  "subnetaddcommand",
  "subnetremovecommand",
];

/** The options, and what is wrong with them: what cannot be used is not there. */
export function readExtensionOptions(raw: RawOptions): { options: ExtensionOptions; read: OptionReader } {
  const read = new OptionReader(raw, { backend: "extension", known });
  const command = (name: string) => read.text(name, { most: MAX_COMMAND });
  const options: ExtensionOptions = {
    preStartup: command("prestartupcommand"),
    postStartup: command("poststartupcommand"),
    shutdown: command("shutdowncommand"),
    subnetAdd: command("subnetaddcommand"),
    subnetRemove: command("subnetremovecommand"),
  };
  return { options, read };
}
