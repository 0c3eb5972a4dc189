/** The block of the README that shows what a part of the bench prints, after the comment `<!-- bench: PART -->`. Pure. */

const marked = /^<!-- bench: ([a-z-]+) -->\n+```\n([\s\S]*?)^```$/gm;

/** What stands in those blocks, by part. */
export function benchesIn(readme: string): ReadonlyMap<string, string> {
  return new Map([...readme.matchAll(marked)].map(([, part = "", text = ""]) => [part, text]));
}

/** The README with `text` in the block of `part`. Throws an error where it has none. */
export function withBench(readme: string, { part, text }: { part: string; text: string }): string {
  if (!benchesIn(readme).has(part)) throw new Error(`The README has no block <!-- bench: ${part} -->`);
  return readme.replaceAll(
    marked,
    (whole, name, old) => name === part ? whole.replace(old, () => text) : whole,
  );
}

/** What such a block shows: how it is made, the machine, and the table. */
export function benchText(part: string, { machine, table }: { machine: string; table: string }): string {
  return `$ deno task bench ${part}\n${machine}\n\n${table}\n`;
}
