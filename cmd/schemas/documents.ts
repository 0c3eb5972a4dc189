/**
 * Every JSON document of flan by the name that stands in its `schema`: `flan.<name>/v1`. Whoever prints another
 * one adds a file for it and a line here; `test/cmd/schemas_test.ts` says which one is missing.
 */
import { doctor } from "./doctor.ts";
import { hooks } from "./hooks.ts";
import { host } from "./host.ts";
import { ipsec } from "./ipsec.ts";
import { joined } from "./joined.ts";
import { lease } from "./lease.ts";
import { leaseChange } from "./lease_change.ts";
import { leaseCheck } from "./lease_check.ts";
import { leaseEvent } from "./lease_event.ts";
import { leaseGc } from "./lease_gc.ts";
import { leases } from "./leases.ts";
import { network } from "./network.ts";
import { networkConfig } from "./network_config.ts";
import { ping } from "./ping.ts";
import { plan } from "./plan.ts";
import { planes } from "./planes.ts";
import { proxyRoutes } from "./proxy_routes.ts";
import { proxyStats } from "./proxy_stats.ts";
import { routes } from "./routes.ts";
import { routesDiff } from "./routes_diff.ts";
import { routesEvent } from "./routes_event.ts";
import { routesExplain } from "./routes_explain.ts";
import { routesRepair } from "./routes_repair.ts";
import { settings } from "./settings.ts";
import type { Shape } from "./shapes.ts";
import { status } from "./status.ts";
import { storeCheck } from "./store_check.ts";
import { storeImport } from "./store_import.ts";

/** Sorted by name. */
export const documents: Readonly<Record<string, Shape>> = {
  doctor,
  hooks,
  host,
  ipsec,
  joined,
  lease,
  "lease-change": leaseChange,
  "lease-check": leaseCheck,
  "lease-event": leaseEvent,
  "lease-gc": leaseGc,
  leases,
  network,
  "network-config": networkConfig,
  ping,
  plan,
  planes,
  "proxy-routes": proxyRoutes,
  "proxy-stats": proxyStats,
  routes,
  "routes-diff": routesDiff,
  "routes-event": routesEvent,
  "routes-explain": routesExplain,
  "routes-repair": routesRepair,
  settings,
  status,
  "store-check": storeCheck,
  "store-import": storeImport,
};
