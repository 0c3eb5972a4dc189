/** The kernel's security associations and policies as they are told and asked. */
import type { KernelEvent } from "./kernel.ts";
import type { KernelError } from "../net/errors.ts";
import type { Derivation } from "../net/ipsec_key.ts";
import type { XfrmPolicy, XfrmState } from "./xfrm.ts";

export type XfrmChange =
  | { readonly verb: "add" | "replace" | "delete"; readonly object: XfrmPolicy }
  | { readonly verb: "add"; readonly object: XfrmState; readonly key: Uint8Array }
  | { readonly verb: "delete"; readonly object: XfrmState };

export interface XfrmTables {
  /** Whether this namespace can have some without being asked to load anything for the question. */
  isThere(): boolean;
  /** Throws `unsupported` where the kernel lacks ESP with AES-GCM, and `not-permitted`. Makes nothing. */
  require(): void;
  /** Those that flan may have made, and others' that are like them. Throws KernelError. */
  read(): Promise<readonly (XfrmState | XfrmPolicy)[]>;
  /** Carries the changes out in order, and goes on after one that fails. Resolves to the answer to each. */
  write(changes: readonly XfrmChange[]): Promise<readonly (KernelError | undefined)[]>;
  /** From now on those who {@link follow} are told. For a host that uses the tables, since it takes a socket. */
  listen(): void;
  /** Tells who changes states and policies, whosever they are, once {@link listen} was called, until `signal` aborts. */
  follow(tell: (event: KernelEvent) => void, signal: AbortSignal): Promise<void>;
  /** Tells at once what the kernel had announced before the call. */
  hear(): void;
  close(): void;
}

/** Remembers which keys the kernel was given, since none may be given to it twice. */
export interface KeyLedger {
  /** Whether this host may have something of IPsec still. */
  isThere(): boolean;
  /**
   * Notes the keys before they are given. Resolves to whether each of them may be: not one that was given before, for
   * which the host will have another nonce, and not one of a nonce or an epoch that this host does not have any more.
   */
  spend(keys: readonly SpentKey[]): Promise<readonly boolean[]>;
}

export interface SpentKey extends Pick<Derivation, "epoch"> {
  readonly fingerprint: string;
  /** Those of both ends. */
  readonly nonces: readonly string[];
}
