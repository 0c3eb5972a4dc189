/** What the message formats need from outside. */
import type { MessageBuilder } from "../message_builder.ts";

/** Encoding: the message under construction and the links by name. */
export interface EncodeContext {
  readonly message: MessageBuilder;
  /** The index of a link. Throws KernelError ENODEV where there is none. */
  readonly indexOf: (name: string) => number;
}

/** Decoding: a link's name by index, or undefined where it is unknown. */
export type NameOf = (index: number) => string | undefined;
