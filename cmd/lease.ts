/** `flan lease`: who owns which subnet. */
import { type AnyCommand, newCommand, Option, type Runner } from "./cli.ts";
import { addSettings } from "./config.ts";
import { type Flags, openContext } from "./context.ts";
import { acquireLease, releaseLease, renewLease } from "./lease_change.ts";
import { getLease, listLeases, watchLeases } from "./lease_show.ts";
import { addOutput, type FormatName, outputFormat } from "./output.ts";
import type { SettingKey } from "./settings.ts";

const listFormats: FormatName[] = ["table", "wide", "json", "jsonl", "tsv", "value"];
const oneFormats: FormatName[] = ["table", "json", "env", "value"];
const readKeys: SettingKey[] = ["store", "stateDir", "logFormat", "quiet", "verbose"];
const hostKeys: SettingKey[] = [...readKeys, "runDir", "iface", "publicIp", "mtu", "leaseTtl"];

export function command(run: Runner): AnyCommand {
  const lease = newCommand("lease", "Show and change who owns which subnet");

  const list = newCommand("list", "Every lease of the network, and why one is refused");
  lease.addCommand(
    addOutput(addSettings(list, readKeys), listFormats).action((flags: Flags) =>
      run(listLeases(openContext(flags), outputFormat(flags, listFormats), flags["header"] === true))
    ),
    { isDefault: true },
  );

  const get = newCommand("get", "This host's lease, or that of SUBNET").argument(
    "[subnet]",
    "such as 10.244.3.0/24",
  );
  lease.addCommand(
    addOutput(addSettings(get, hostKeys), oneFormats).action((subnet: string | undefined, flags: Flags) =>
      run(getLease(openContext(flags), outputFormat(flags, oneFormats), subnet))
    ),
  );

  const acquire = newCommand("acquire", "Take a lease for this host, without touching its kernel")
    .addOption(new Option("--subnet <cidr>", "the subnet to wish for"))
    .addHelpText("after", "\nExample:\n  SUBNET=$(flan lease acquire -o value=subnet)");
  lease.addCommand(
    addOutput(addSettings(acquire, hostKeys), oneFormats).action((flags: Flags) =>
      run(
        acquireLease(
          openContext(flags),
          outputFormat(flags, oneFormats),
          flags["subnet"] as string | undefined,
        ),
      )
    ),
  );

  const renew = newCommand("renew", "Let this host's lease live for another --lease-ttl");
  lease.addCommand(
    addOutput(addSettings(renew, hostKeys), oneFormats).action((flags: Flags) =>
      run(renewLease(openContext(flags), outputFormat(flags, oneFormats)))
    ),
  );

  const release = newCommand("release", "Give this host's subnet back, or that of SUBNET")
    .argument("[subnet]", "such as 10.244.3.0/24")
    .addOption(new Option("--force", "also while the lease is in use, or another host's"));
  lease.addCommand(
    addSettings(release, [...readKeys, "runDir"]).action((subnet: string | undefined, flags: Flags) =>
      run(releaseLease(openContext(flags), subnet, flags["force"] === true))
    ),
  );

  const watch = newCommand("watch", "Leases as they come, change and go, one JSON object a line");
  lease.addCommand(
    addSettings(watch, readKeys).action((flags: Flags) => run(watchLeases(openContext(flags)))),
  );
  return lease;
}
