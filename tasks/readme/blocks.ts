/**
 * The blocks of the README that show what flan prints. Pure. One is marked by a comment before it, and holds
 * command lines after `$ `, each with what it prints below:
 *
 *     <!-- output: vxlan -->
 *     ```
 *     $ flan routes
 *     ```
 *
 * `vxlan` is the backend of the hosts that it runs on, always on the first of them (`hosts.ts`). A mark may name a
 * command that is run before and not shown: `<!-- output: udp; first: ping -c 9 10.244.2.0 -->`.
 */

export interface Block {
  readonly backend: string;
  /** What is run before the block, if anything. */
  readonly first: string | undefined;
  /** The lines after `$ `. */
  readonly commands: readonly string[];
  /** What stands between the fences. */
  readonly text: string;
}

const marked = /^<!-- output: ([a-z-]+)(?:; first: (.+?))? -->\n+```\n([\s\S]*?)^```$/gm;

/** The marked blocks in their order. Throws an error for one without a command. */
export function blocksIn(readme: string): Block[] {
  return [...readme.matchAll(marked)].map(([, backend = "", first, text = ""]) => {
    const commands = [...text.matchAll(/^\$ (.+)$/gm)].map((match) => match[1]!);
    if (commands.length === 0) {
      throw new Error(`No line begins with "$ " in the block for ${backend}:\n${text}`);
    }
    return { backend, first, commands, text };
  });
}

/** The README with these texts in its marked blocks, in their order. */
export function withTexts(readme: string, texts: readonly string[]): string {
  const next = texts.values();
  return readme.replaceAll(marked, (whole, _backend, _first, text: string) => {
    const fence = whole.length - text.length - "```".length;
    return `${whole.slice(0, fence)}${next.next().value ?? text}\`\`\``;
  });
}

/** What a block shows: commands and what each printed. */
export function blockText(said: readonly { readonly command: string; readonly output: string }[]): string {
  return said.map(({ command, output }) => `$ ${command}\n${output}`).join("\n");
}

/** What differs from run to run, and how it looks in every run. */
const volatile: readonly (readonly [pattern: RegExp, same: string])[] = [
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b\d+h\d\dm\b/g, "SPAN"],
  [/\b\d+(?:\.\d+)? ?(?:ms|µs|us|s|m|h|min)\b/g, "SPAN"],
  [/\b(pid|process|revision) \d+/g, "$1 N"],
  [/\[\d+\]/g, "[N]"],
  // Counters: what the kernel sends on its own is among them.
  [/^(?:in|out)_drop_\w+ +\d+\n/gm, ""],
  [/^((?:in|out|icmp)_\w+ +)\d+$/gm, "$1N"],
  // Columns are as wide as what stands in them.
  [/ {2,}/g, "  "],
];

/** Whether two texts say the same, but for what differs from run to run. */
export function alike(a: string, b: string): boolean {
  const still = (text: string) =>
    volatile.reduce((rest, [pattern, same]) => rest.replaceAll(pattern, same), text);
  return still(a) === still(b);
}
