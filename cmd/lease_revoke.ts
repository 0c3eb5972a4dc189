/** `flan lease revoke`: takes a lease away from whoever holds it. */
import { readHostState } from "../agent/host_state.ts";
import { heldSubnets, holderText } from "../lease/held.ts";
import { release } from "../lease/release.ts";
import { isUnclaimed } from "../lease/reservation.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { readNetwork, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import { leaseNow, printChange, requireChangeField, stays } from "./lease_changed.ts";
import type { Call } from "./leaf.ts";
import { subnetArgument } from "./subnet_argument.ts";

export async function revokeLease({ context, format, flags, args: [text = ""] }: Call): Promise<number> {
  requireChangeField(format);
  const subnet = subnetArgument("subnet", text);
  const self = readHostState(context.settings.stateDir)?.node;
  return await withStore(context, async (store) => {
    const { snapshot, config } = await readNetwork(store);
    const held = heldSubnets(snapshot).filter((one) => one.subnet === subnet);
    if (held.length === 0) throw gone(subnet, store.url);
    const open = held.find(({ lease }) => lease !== undefined && isUnclaimed(lease, config));
    if (open !== undefined) {
      throw new FlanError(`Cannot revoke ${subnet}: nobody has claimed ${holderText(open, config)}`, {
        op: "lease.revoke",
        code: "failed",
        hint: `flan lease unreserve ${subnet}`,
      });
    }
    const others = held.filter(({ record }) => self === undefined || record.node !== self);
    const holders = held.map((one) => holderText(one, config)).join(" and ");
    if (others.length > 0 && flags["yes"] !== true) {
      throw invalid(
        "lease.revoke",
        `Cannot revoke ${subnet}: ${holders} is alive`,
        "add --yes to cut it off",
      );
    }
    const [revoked] = await release(store, { subnet }, context);
    if (revoked === undefined) throw gone(subnet, store.url);
    const { reservation } = revoked;
    printChange(format, {
      subnet,
      change: "revoked",
      text: `revoked ${holders}${stays(revoked, self)}`,
      ...(reservation && { lease: leaseNow(reservation, { config, self }) }),
    });
    if (reservation === undefined) {
      console.error(
        "flan: An agent that runs there takes a subnet again at once, the same one if nobody is faster; " +
          `flan lease reserve ${subnet} keeps it off`,
      );
    }
    return exit.done;
  });
}

/** For a subnet that nobody holds, or that was given back or taken meanwhile. */
function gone(subnet: string, store: string): FlanError {
  const message = `Cannot revoke ${subnet}: nobody has that lease in ${store}`;
  return new FlanError(message, { op: "lease.revoke", code: "no" });
}
