/** The order in which people count: numbers inside a text compare as numbers. */

/**
 * Orders `10.5.9.0/24` before `10.5.10.0/24`, and all other characters by their code. A total order: 0 for equal texts
 * only. By hand, because `Intl.Collator` takes longer to start than most commands of flan take altogether, and then
 * ten times as long for each pair.
 */
export function naturalOrder(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (!isDigit(a, i) || !isDigit(b, j)) {
      const difference = a.charCodeAt(i++) - b.charCodeAt(j++);
      if (difference !== 0) return difference;
      continue;
    }
    let x = 0;
    let y = 0;
    for (; isDigit(a, i); i++) x = x * 10 + a.charCodeAt(i) - ZERO;
    for (; isDigit(b, j); j++) y = y * 10 + b.charCodeAt(j) - ZERO;
    if (x !== y) return x < y ? -1 : 1;
  }
  const rest = (a.length - i) - (b.length - j);
  // The same numbers, written with other zeros in front.
  return rest !== 0 ? rest : a < b ? -1 : a > b ? 1 : 0;
}

const ZERO = 48;

/** False at the end of the text. */
function isDigit(text: string, at: number): boolean {
  const digit = text.charCodeAt(at) - ZERO;
  return digit >= 0 && digit <= 9;
}
