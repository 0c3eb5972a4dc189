/** The proof that a server compares before it swaps (RFC 9110, 13.1): one that does not loses leases without a word. */
import { FlanError } from "../../net/errors.ts";
import type { Document } from "../document/document.ts";
import type { Answer } from "../remote/connection.ts";
import { isSuccess, noStore, refusalOf } from "./answers.ts";

/** A tag that no server gives. */
export const NEVER = '"flan-never"';

/** The document at its server, as the proof needs it. */
export interface Provable {
  readonly url: string;
  readonly read: () => Promise<{ readonly etag: string | undefined; readonly document: Document }>;
  readonly put: (document: Document, condition: Readonly<Record<string, string>>) => Promise<Answer>;
}

/** The server was found to write although it was told not to. */
export class NoSwap extends FlanError {
  constructor(url: string, header: string) {
    const why =
      `the server does not do conditional PUT (it ignores ${header}), so hosts would lose their leases`;
    const { message, op, code } = noStore(url, why);
    super(message, { op, code, hint: "flan store serve does it" });
  }
}

/**
 * Asks for writes that must be refused, of the very document that was read before, and throws {@link NoSwap} where
 * one is not, `store-reply` and the like where it cannot be told. A server that does not do it may have put that
 * document in the place of one that somebody wrote in between. So this is for whoever begins a network, and for
 * servers of which it is known that they are flan's.
 */
export async function proveSwap({ url, read, put }: Provable): Promise<void> {
  const { etag, document } = await read();
  const refused = await put(document, { "if-match": NEVER });
  if (isSuccess(refused)) throw new NoSwap(url, "If-Match");
  // A document that is not there may also be said to be not there.
  if (refused.status !== 412 && !(refused.status === 404 && etag === undefined)) {
    throw refusalOf(url, "write", refused);
  }
  if (etag === undefined) return;
  // Whoever heeds If-Match, as is known by now, writes nothing over what came in between.
  const second = await put(document, { "if-match": etag, "if-none-match": "*" });
  if (isSuccess(second)) throw new NoSwap(url, "If-None-Match");
  if (second.status !== 412) throw refusalOf(url, "write", second);
}
