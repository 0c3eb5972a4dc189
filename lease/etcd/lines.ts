/** Lines out of text that comes in chunks of any size. */

/**
 * Yields each line without its end, and what follows the last line feed if it is anything. Calls `tooLong` and throws what
 * it returns as soon as a line has more than `limit` characters. Nothing is looked at twice, so that a line in a
 * million chunks costs no more than in one.
 */
export async function* linesOf(
  chunks: AsyncIterable<string>,
  { limit, tooLong }: { limit: number; tooLong: () => Error },
): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let begin = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", begin)) {
      parts.push(chunk.slice(begin, end));
      if (length + end - begin > limit) throw tooLong();
      yield parts.join("");
      [parts, length, begin] = [[], 0, end + 1];
    }
    if (begin === chunk.length) continue;
    parts.push(chunk.slice(begin));
    length += chunk.length - begin;
    if (length > limit) throw tooLong();
  }
  if (parts.length > 0) yield parts.join("");
}
