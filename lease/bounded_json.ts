/** JSON of others, parsed only where what it becomes in memory is bounded, too: `{},{},…` grows to twenty times its length. */
import type { Json } from "../net/json.ts";

export interface Size {
  /** Objects, arrays, strings, numbers and names, about. */
  readonly parts: number;
  /** How deep objects and arrays are nested. */
  readonly depth: number;
  /** Members of any one object or array. */
  readonly members?: number;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [COMMA, COLON, OPEN_ARRAY, CLOSE_ARRAY, OPEN, CLOSE] = [0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d];

/** How much the text would become, as far as it is JSON. Stops where that is more than `most`. */
export function sizeOf(text: string, most: Size): Required<Size> {
  let [parts, depth, deepest, widest] = [1, 0, 0, 0];
  /** Members so far of each object or array that is not closed, by its depth. */
  const members: number[] = [1];
  const isMore = () => parts > most.parts || deepest > most.depth || widest > (most.members ?? Infinity);
  for (let i = 0; i < text.length && !isMore(); i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i);
        break;
      case COMMA:
        parts++;
        members[depth] = (members[depth] ?? 1) + 1;
        widest = Math.max(widest, members[depth]!);
        break;
      case COLON:
        parts++;
        break;
      case OPEN:
      case OPEN_ARRAY:
        parts++;
        deepest = Math.max(deepest, ++depth);
        members[depth] = 1;
        break;
      case CLOSE:
      case CLOSE_ARRAY:
        depth--;
    }
  }
  return { parts, depth: deepest, members: widest };
}

/** Whether the text would become more than `most`. */
export function isMoreThan(text: string, most: Size): boolean {
  const { parts, depth, members } = sizeOf(text, most);
  return parts > most.parts || depth > most.depth || members > (most.members ?? Infinity);
}

/** The value, or undefined where the text is no JSON or becomes more than `most`. */
export function parseBounded(text: string, most: Size): { value: Json; parts: number } | undefined {
  const { parts, depth } = sizeOf(text, most);
  if (parts > most.parts || depth > most.depth) return undefined;
  try {
    return { value: JSON.parse(text) as Json, parts };
  } catch {
    return undefined;
  }
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) return i;
    if (char === BACKSLASH) i++;
  }
  return text.length;
}
