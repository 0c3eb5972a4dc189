/** What can be wrong with an etcd and with the keys in it, beside the leases. */
import { FlanError, messageOf } from "../../net/errors.ts";
import { printable, quoted } from "../../net/text.ts";
import type { JsonObject } from "../go_json.ts";
import { isDualStackKey, subnetIn } from "../key.ts";
import { parseNetworkConfig } from "../network.ts";
import { skewed } from "../remote/server_time.ts";
import type { StoreFinding } from "../store.ts";
import { integer, jsonOf, type KeyValue, objects, textOf } from "./fields.ts";
import { EtcdError, type Gateway, type Method, type Probed } from "./gateway.ts";
import { unreadable } from "./flannel_value.ts";
import type { Keys } from "./keys.ts";

/** etcd's default `--quota-backend-bytes`; 3.4 does not tell which one it was started with. */
const DEFAULT_QUOTA = 2 * 1024 ** 3;
/** From which part of its quota on a database is worth a word. */
const NEARLY_FULL = 0.8;
/** How many keys are named one by one. */
const MAX_NAMED = 20;

/** Looks for endpoints that are away, clocks that differ, alarms, a database near its quota, and keys that confuse flannel. */
export async function inspectEtcd(
  gateway: Gateway,
  { keys, kvs }: { keys: Keys; kvs: readonly KeyValue[] },
): Promise<StoreFinding[]> {
  return [
    ...endpoints(await gateway.probe()),
    ...await alarms(gateway),
    ...await fullness(gateway),
    ...foreignKeys(keys, kvs),
    ...unreadableLeases(keys, kvs),
  ];
}

/** Those that are away and, once for all of them, a clock that differs: most often it is this host's own. */
function endpoints(probed: readonly Probed[]): StoreFinding[] {
  const away = probed.filter(({ error }) => error !== undefined).map(({ endpoint, error }): StoreFinding => ({
    code: "endpoint-away",
    severity: "warning",
    message: `The etcd endpoint ${endpoint} cannot be used: ${messageOf(error)}`,
    hint: `etcdctl --endpoints=${endpoint} endpoint status`,
  }));
  const [worst] = probed.toSorted((a, b) => Math.abs(b.ahead) - Math.abs(a.ahead));
  return [...away, ...worst === undefined ? [] : skewed(worst.ahead, `the etcd endpoint ${worst.endpoint}`)];
}

async function alarms(gateway: Gateway): Promise<StoreFinding[]> {
  const answer = await asked(gateway, "maintenance/alarm", { action: "GET" });
  return objects(answer?.alarms, "the alarms").map(({ alarm, memberID }) => ({
    code: "alarm",
    severity: "high",
    message: `etcd has raised the alarm ${quoted(alarm ?? "NONE")} for member ${quoted(memberID ?? "0")}${
      alarm === "NOSPACE" ? ": nothing can be written" : ""
    }`,
    hint: alarm === "NOSPACE"
      ? "etcdctl compact REVISION; etcdctl defrag; etcdctl alarm disarm"
      : "etcdctl alarm list",
  }));
}

async function fullness(gateway: Gateway): Promise<StoreFinding[]> {
  const answer = await asked(gateway, "maintenance/status", {});
  const size = integer(answer?.dbSize, "the size of the database");
  const told = integer(answer?.dbSizeQuota, "the quota of the database");
  const quota = told > 0 ? told : DEFAULT_QUOTA;
  if (size < quota * NEARLY_FULL) return [];
  const mib = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`;
  const which = told > 0 ? "its quota is" : "the quota is by default";
  return [{
    code: "nearly-full",
    severity: "warning",
    message: `The database of etcd has ${mib(size)}, and ${which} ${mib(quota)}`,
    hint: "etcdctl compact REVISION; etcdctl defrag",
  }];
}

function foreignKeys(keys: Keys, kvs: readonly KeyValue[]): StoreFinding[] {
  const isOurs = isIpv6Alone(keys, kvs) ? (key: string | undefined) => isIpv6Lease(keys, key) : () => false;
  const foreign = kvs.filter(({ key, bytes }) => keys.confusesFlannel(key ?? bytes) && !isOurs(key));
  return foreign.slice(0, MAX_NAMED).map(({ key, bytes }) => ({
    code: "foreign-key",
    severity: "high",
    message: `The key ${
      quoted(key ?? bytes, 200)
    } is no lease, and makes every flannel host drop all its peers`,
    hint: `etcdctl del ${shellQuoted(key ?? bytes)}`,
  }));
}

/** Whether it is a network that no flanneld can be in, so that keys without IPv4 are as they should be. */
function isIpv6Alone(keys: Keys, kvs: readonly KeyValue[]): boolean {
  const config = kvs.find(({ key }) => key === keys.config);
  if (config === undefined) return false;
  try {
    return parseNetworkConfig(jsonOf(config.rawValue).value).network.family === 6;
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return false;
  }
}

function isIpv6Lease(keys: Keys, key: string | undefined): boolean {
  const meaning = key === undefined ? undefined : keys.meaning(key);
  return meaning?.kind === "lease" && !isDualStackKey(meaning.key) && subnetIn(meaning.key, 6) !== undefined;
}

/** Values under flannel's keys that it cannot read have the same effect as foreign keys. */
function unreadableLeases(keys: Keys, kvs: readonly KeyValue[]): StoreFinding[] {
  const findings: StoreFinding[] = [];
  for (const { key, rawValue } of kvs) {
    if (findings.length === MAX_NAMED) break;
    if (key === undefined || keys.confusesFlannel(key) || keys.meaning(key)?.kind !== "lease") continue;
    const why = unreadable(textOf(rawValue));
    if (why === undefined) continue;
    findings.push({
      code: "unreadable-lease",
      severity: "high",
      message: `The lease ${quoted(key, 200)} makes every flannel host drop all its peers: ${why}`,
      hint: `etcdctl del ${shellQuoted(key)}`,
    });
  }
  return findings;
}

/** The answer, or undefined where this user may not ask. */
async function asked(gateway: Gateway, method: Method, request: JsonObject): Promise<JsonObject | undefined> {
  try {
    return await gateway.call(method, request);
  } catch (error) {
    const isDenied = error instanceof FlanError && error.code === "store-denied";
    if (isDenied || error instanceof EtcdError) return undefined;
    throw error;
  }
}

/** A word of a shell's command line. What a terminal would obey is written as `printf` understands it. */
function shellQuoted(text: string): string {
  const quotedText = `'${text.replaceAll("'", "'\\''")}'`;
  const safe = printable(quotedText, 400);
  return safe === quotedText ? safe : `"$(printf %b ${safe})"`;
}
