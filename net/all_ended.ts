/** Waiting for several pieces of work, also when one of them fails. */

/**
 * Resolves to all results, in their order. Where some fail it rejects with the first of the list that did, though not before all
 * have ended: so nobody takes away what one of them is still making.
 */
export async function allEnded<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works);
  return await Promise.all(works);
}
