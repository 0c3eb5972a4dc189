/** IPsec's states and policies in memory, with its socket, on one stack. Several kernels may stand on it. */
import { type IpsecInit } from "../../ipsec/changes.ts";
import { openEncapKernel } from "../../ipsec/encap_kernel.ts";
import { openIpsecKernel } from "../../ipsec/ipsec_kernel.ts";
import type { Kernel, KernelEvent } from "../../kernel/kernel.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import { describe } from "../../kernel/state.ts";
import { settingsOfState, xfrmKey, type XfrmPolicy, type XfrmState, xfrmSubject } from "../../kernel/xfrm.ts";
import type { KeyLedger, XfrmChange, XfrmTables } from "../../kernel/xfrm_tables.ts";
import { FlanError, KernelError } from "../../net/errors.ts";
import { fingerprint } from "../../net/fingerprint.ts";
import { FakeEncap } from "./fake_encap.ts";
import { FakeKernel, hostStack } from "./fake_kernel.ts";
import type { FakeStack } from "./fake_stack.ts";
import { PRESHARED_KEY } from "./overlay.ts";

/** Knows the tests' pre-shared key. */
export const ipsecSecrets: Secrets = {
  find(name) {
    const bytes = new TextEncoder().encode(PRESHARED_KEY);
    return name === fingerprint(bytes) ? bytes : undefined;
  },
};

/** Lets any key be given again, for those whose case is another one. */
export const forgetful: KeyLedger = {
  isThere: () => false,
  spend: (keys) => Promise.resolve(keys.map(() => true)),
};

export class FakeXfrm {
  readonly stack: FakeStack;
  readonly encap = new FakeEncap();
  /** By key, as the kernel shows them. */
  readonly objects = new Map<string, XfrmState | XfrmPolicy>();
  /** Every change that the kernel took, as words. */
  readonly done: string[] = [];
  /** Whether somebody can see that the kernel has tables, once there is something in them. */
  isModule = true;
  /** Whether the kernel has ESP. */
  isWhole = true;
  /** Whether the caller may read the tables. */
  isHidden = false;
  reads = 0;
  /** Those who listen, and whose changes are their own. */
  readonly #listeners = new Set<
    { readonly tables: XfrmTables; readonly tell: (event: KernelEvent) => void }
  >();
  readonly #listening = new Set<XfrmTables>();

  constructor(stack: FakeStack = hostStack()) {
    this.stack = stack;
  }

  /** A kernel, and below it the one that knows nothing of IPsec. */
  open(
    { secrets = ipsecSecrets, ledger = forgetful, unseen }:
      & Partial<Pick<IpsecInit, "secrets" | "ledger">>
      & { unseen?: (error: FlanError) => void } = {},
  ): { kernel: Kernel; inner: FakeKernel } {
    const inner = new FakeKernel(this.stack);
    const whole = openIpsecKernel(inner, { tables: this.#tables(), secrets, ledger, unseen });
    return { inner, kernel: openEncapKernel(whole, this.encap) };
  }

  /** The tables around somebody else's kernel. */
  over(inner: Kernel, init: Pick<IpsecInit, "secrets" | "ledger">): Kernel {
    return openEncapKernel(openIpsecKernel(inner, { ...init, tables: this.#tables() }), this.encap);
  }

  /** Whether somebody is told of changes. */
  get isHeard(): boolean {
    return [...this.#listeners].some(({ tables }) => this.#listening.has(tables));
  }

  /** Somebody else deletes an object. */
  lose(object: XfrmState | XfrmPolicy): void {
    this.objects.delete(xfrmKey(object));
    this.#announce(object, { action: "delete", by: undefined });
  }

  #announce(
    object: XfrmState | XfrmPolicy,
    { action, by }: { action: "new" | "delete"; by: XfrmTables | undefined },
  ): void {
    const about = { group: "ipsec", action, port: 0, subject: xfrmSubject(object) } as const;
    for (const { tables, tell } of this.#listeners) {
      if (this.#listening.has(tables)) tell({ ...about, own: tables === by });
    }
  }

  #tables(): XfrmTables {
    const tables: XfrmTables = {
      isThere: () => this.isModule && this.objects.size > 0,
      require: () => {
        if (this.isWhole) return;
        throw new FlanError("Cannot use IPsec: the kernel has no ESP", {
          op: "kernel.require",
          code: "unsupported",
        });
      },
      read: () => {
        this.reads++;
        const denied = new KernelError("Cannot read IPsec states", "EPERM", { op: "kernel.dump" });
        return this.isHidden ? Promise.reject(denied) : Promise.resolve([...this.objects.values()]);
      },
      write: (changes) => Promise.resolve(changes.map((change) => this.#change(change, tables))),
      listen: () => void this.#listening.add(tables),
      follow: async (tell, signal) => {
        const listener = { tables, tell };
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#listeners.add(listener);
        signal.addEventListener("abort", () => resolve(), { once: true });
        if (!signal.aborted) await promise;
        this.#listeners.delete(listener);
      },
      hear() {},
      close() {},
    };
    return tables;
  }

  #change(change: XfrmChange, by: XfrmTables): KernelError | undefined {
    const { verb, object } = change;
    const key = xfrmKey(object);
    if (verb === "add" && this.objects.has(key)) {
      return new KernelError(`Cannot add ${describe(object)}: File exists (EEXIST)`, "EEXIST", {
        op: "kernel.apply",
      });
    }
    this.done.push(`${verb} ${key}`);
    if (verb === "delete") this.objects.delete(key);
    else this.objects.set(key, "key" in change ? shown(change.object, change.key) : object);
    this.#announce(object, { action: verb === "delete" ? "delete" : "new", by });
  }
}

/** Of what the kernel was given, not of what the plan says of it. */
function shown(state: XfrmState, key: Uint8Array): XfrmState {
  return { ...settingsOfState(state), key: fingerprint(key) };
}
