/** The language of manual pages, as groff and mandoc read it: mdoc(7), groff_char(7). Pure text. */

/** Text that stands for itself, wherever it is put. */
export function plain(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq")
    .replace(
      /[^\n\x20-\x7e]/gu,
      (one) => `\\[u${one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  // A dot or an apostrophe at the beginning of a line would make it a command.
  return escaped.replace(/^(?=[.'])/gm, "\\&");
}

/** A macro with its arguments, which are shown as they are: `line("Sh", "EXIT STATUS")`. */
export function line(macro: string, ...args: readonly string[]): string {
  return [`.${macro}`, ...args.map(argument)].join(" ");
}

/** A word that is no macro, even where it is called like one (`No`, `In`). */
function argument(text: string): string {
  const word = `\\&${plain(text)}`;
  return word.includes(" ") ? `"${word}"` : word;
}

/** A list of terms, each a whole macro line, and what they are: sentences. */
export function tagged(items: readonly (readonly [term: string, text: string])[]): string[] {
  if (items.length === 0) return [];
  return [".Bl -tag -width Ds", ...items.flatMap(([term, text]) => [term, ...sentences(text)]), ".El"];
}

/** Text, each of its sentences on a line of its own, as that language wants it, and no line long. */
export function sentences(text: string): string[] {
  return text.replaceAll("\n", " ").split(/(?<=[a-z0-9)]{2}[.!?:]) (?=[A-Z])/)
    .flatMap((sentence) => sentence.trim().match(/.{1,66}(?: |$)|\S+/g) ?? [])
    .map((part) => plain(part.trim()));
}

/** What a command's help says at its end: text, and indented lines that stay as they are. */
export function paragraphs(text: string): string[] {
  return text.split("\n\n").flatMap((part) => {
    const [shown, prose] = [/^ {2}/, /^(?! {2})/].map((kind) =>
      part.split("\n").filter((one) => kind.test(one))
    );
    return [".Pp", ...sentences(prose!.join(" ")), ...(shown!.length === 0 ? [] : literal(shown!))];
  });
}

/** Lines that are shown as they are. */
export function literal(lines: readonly string[]): string[] {
  return [".Bd -literal -offset indent", ...lines.map((one) => plain(one.trim())), ".Ed"];
}

/** `--output` with what stands after it, as the rest of a macro line. */
export function flagMacro({ name, short, argument: value }: {
  readonly name: string;
  readonly short: string | undefined;
  readonly argument: string;
}): string {
  const spelled = [short, name].filter((one) => one !== undefined).map((one) => `Fl ${plain(one.slice(1))}`);
  return [spelled.join(" , "), ...(value === "" ? [] : [`Ar ${argument(value.replace(/[<>]/g, ""))}`])].join(
    " ",
  );
}
