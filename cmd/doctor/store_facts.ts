/** What the doctor learns from the store: its contents, what is wrong with it and with the leases. */
import { readHostState } from "../../agent/host_state.ts";
import { storeCode } from "../../agent/health/health.ts";
import { networkIn } from "../../agent/network.ts";
import { type Diagnosis, diagnosis } from "../../doctor/diagnosis.ts";
import type { Seen } from "../../doctor/facts.ts";
import { checkLeases } from "../../lease/check.ts";
import type { Snapshot, Store, StoreFinding } from "../../lease/store.ts";
import { suspectClock } from "../../lease/suspect_clock.ts";
import { FlanError, isStoreTrouble } from "../../net/errors.ts";
import { type Context, withStore } from "../context.ts";
import { unreachableIn } from "../unreachable.ts";

export interface StoreLook {
  /** Undefined where the store cannot be used. */
  readonly snapshot: Snapshot | undefined;
  /** Why it cannot be used. */
  readonly trouble?: FlanError | undefined;
  readonly findings: Seen<readonly Diagnosis[]>;
}

export async function lookAtStore(context: Context): Promise<StoreLook> {
  try {
    return await withStore(context, async (store) => {
      const snapshot = await store.read();
      return { snapshot, findings: { seen: await findingsIn(store, { snapshot, context }) } };
    });
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const { message, hint } = error;
    if (!isStoreTrouble(error)) return { snapshot: undefined, trouble: error, findings: { unseen: message } };
    const found = diagnosis(storeCode(error), { subject: context.settings.store, message, remedy: hint });
    return { snapshot: undefined, trouble: error, findings: { seen: [found] } };
  }
}

async function findingsIn(
  store: Store,
  { snapshot, context: { settings } }: { snapshot: Snapshot; context: Context },
): Promise<Diagnosis[]> {
  // Nothing is wrong with a store that waits for its network.
  if (snapshot.config === undefined) return [];
  const node = readHostState(settings.stateDir)?.node;
  const own = (await store.inspect()).map((one) => ofStore(one, settings.store));
  try {
    const network = networkIn(snapshot, store.url);
    const unreachable = unreachableIn({ snapshot, ...network }, settings.stateDir);
    const leases = checkLeases({ snapshot, network: network.config, node, unreachable });
    const suspicion = store.usesLocalClock ? suspectClock(snapshot, node ?? "") : undefined;
    return [
      ...own,
      ...leases.map(({ subnet, hint, ...rest }) => ({ ...rest, subject: subnet, remedy: hint })),
      ...(suspicion === undefined ? [] : [diagnosis("clock-skew", { subject: "clock", message: suspicion })]),
    ];
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    const { message, hint } = error;
    return [...own, diagnosis("network-config", { subject: store.url, message, remedy: hint })];
  }
}

function ofStore({ hint, ...finding }: StoreFinding, subject: string): Diagnosis {
  return { ...finding, subject, remedy: hint ?? "flan store check" };
}
