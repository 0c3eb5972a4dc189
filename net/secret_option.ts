/** Which values of a network config are secrets, wherever in it they stand. */
import type { Json } from "./json.ts";

/** What is shown in a secret's place. */
export const HIDDEN = "(secret)";

/** Options whose values are nobody else's business, whatever is shown or said of them. */
export function isSecretOption(name: string): boolean {
  return name.toLowerCase() === "psk";
}

/** Whether the value has a secret in it. One that is empty says that there is none. */
export function holdsSecret(value: Json): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsSecret);
  return Object.entries(value as Record<string, Json>).some(([key, one]) =>
    isSecretOption(key) ? one !== "" && one !== null : holdsSecret(one)
  );
}

/** A copy with {@link HIDDEN} for each secret. */
export function withoutSecrets(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return Object.fromEntries(
    Object.entries(value as Record<string, Json>).map(([key, one]) => [
      key,
      isSecretOption(key) && holdsSecret({ [key]: one }) ? HIDDEN : withoutSecrets(one),
    ]),
  );
}
