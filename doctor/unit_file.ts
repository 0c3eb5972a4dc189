/** systemd's unit files as far as the checks need them: sections with one value for each key (systemd.syntax(7)). */

/** Keys longer than this, and lines beyond it, are nobody's. */
const MAX_LINE = 4096;

export class Sections {
  readonly #values = new Map<string, Map<string, string>>();

  set(section: string, key: string, value: string): void {
    const values = this.#values.get(section) ?? new Map<string, string>();
    this.#values.set(section, values.set(key, value));
  }

  /** The last value of a key; section names count in lower case here. */
  get(section: string, key: string): string | undefined {
    return this.#values.get(section)?.get(key);
  }

  section(name: string): ReadonlyMap<string, string> {
    return this.#values.get(name) ?? new Map();
  }
}

/** What is no assignment is skipped, as systemd does with a warning. */
export function readUnit(text: string): Sections {
  const sections = new Sections();
  let section = "";
  for (const line of text.replaceAll(/\\\n/g, " ").split("\n")) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.length > MAX_LINE || /^[#;]/.test(trimmed)) continue;
    const head = /^\[(.+)\]$/.exec(trimmed)?.[1];
    const equals = trimmed.indexOf("=");
    if (head !== undefined) section = head.toLowerCase();
    else if (equals > 0) {
      sections.set(section, trimmed.slice(0, equals).trim(), trimmed.slice(equals + 1).trim());
    }
  }
  return sections;
}
