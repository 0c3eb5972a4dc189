/**
 * What another backend is given of the options that its network's config holds, and what is left behind: told by name,
 * since a network that loses its pre-shared key without a word is less safe than people believe. Pure.
 */
import type { JsonObject } from "../lease/go_json.ts";
import type { BackendConfig, NetworkConfig } from "../lease/network.ts";
import type { Clock } from "../net/clock.ts";
import type { Json } from "../net/json.ts";
import { secretFor } from "./network_settings.ts";

/**
 * A whole backend of that type: with the options that it had when the network left it, as far as the config `before`
 * remembers them, else with none but the secret of one that needs one. Those of the present backend mean nothing to it.
 */
export function wholeBackend(
  type: string,
  { before, clock }: { before: NetworkConfig; clock: Pick<Clock, "randomBytes"> },
): JsonObject {
  const former = leftBefore(before, type.toLowerCase());
  const settings = { backend: type, backendOption: former?.backendOptions };
  return { Type: type, ...secretFor({ settings, clock }), ...former?.backendOptions };
}

/**
 * What to tell of options where another backend is written: which ones of the backend of `before` are left behind, and
 * which ones of a former one are taken up again. By name, for a value may be a secret.
 */
export function optionNotes(before: NetworkConfig, after: NetworkConfig): readonly string[] {
  const again = leftBefore(before, after.backendType);
  return [...leftBehind(before, after), ...again === undefined ? [] : takenUp(again, after)];
}

/** Which options of former backends nothing remembers any more. */
export function forgottenNotes(before: NetworkConfig, after: NetworkConfig): readonly string[] {
  const kept = [after, ...after.formerBackends ?? []].map(({ backendType }) => backendType);
  return (before.formerBackends ?? []).flatMap(({ backendType, backendOptions }) => {
    const names = Object.keys(backendOptions);
    if (names.length === 0 || kept.includes(backendType)) return [];
    return [`Former backend ${backendType} is forgotten with its ${names.join(", ")}`];
  });
}

/** The latest of that type that the network had before the one that it has. */
function leftBefore({ backendType, formerBackends = [] }: NetworkConfig, type: string) {
  return type === backendType ? undefined : formerBackends.find((one) => one.backendType === type);
}

/** Those of another type may have the same name, and mean something else. */
function leftBehind(before: NetworkConfig, after: NetworkConfig): readonly string[] {
  const { backendType: type, backendOptions: options } = before;
  const isSame = type === after.backendType;
  const names = Object.keys(options).filter((name) => {
    const now = optionIn(after, name);
    return isSame ? now === undefined : now !== textOf(options[name]);
  });
  if (names.length === 0) return [];
  if (isSame) return [`Backend ${type} has its ${names.join(", ")} no more`];
  const again = leftBefore(after, type) === undefined
    ? ""
    : `; flan config set backend ${type} takes them up again while FormerBackends has it`;
  return [`Backend ${type} is left with its ${names.join(", ")}${again}`];
}

function takenUp(former: BackendConfig, after: NetworkConfig): readonly string[] {
  const { backendType: type, backendOptions: options } = former;
  const of = (isAgain: boolean) =>
    Object.keys(options).filter((name) => isAgain === (optionIn(after, name) === textOf(options[name])));
  const [again, not] = [of(true), of(false)];
  return [
    ...again.length === 0 ? [] : [`Backend ${type} has again the ${again.join(", ")} that it had before`],
    ...not.length === 0 ? [] : [`Backend ${type} does not have the ${not.join(", ")} that it had before`],
  ];
}

/** The option's value as text, its name in any case, as flannel reads it. */
function optionIn({ backendOptions }: BackendConfig, name: string): string | undefined {
  const key = Object.keys(backendOptions).find((known) => known.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : textOf(backendOptions[key]);
}

function textOf(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}
