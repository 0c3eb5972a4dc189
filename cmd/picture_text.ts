/** The picture for Graphviz (dot) and for Mermaid. Pure. */
import { type Box, linesOf, type Picture } from "./picture.ts";

/** The DOT language: https://graphviz.org/doc/info/lang.html. Quotes and backslashes are escaped, HTML is not used. */
export function dotOf({ network, backend, own, peers }: Picture): string {
  const label = (lines: readonly string[]) =>
    `"${lines.map((line) => line.replaceAll("\\", "\\\\").replaceAll('"', '\\"')).join("\\n")}"`;
  const node = (id: string, box: Box) =>
    `  ${id} [label=${label(linesOf(box))}, color=${label([colourOf(box)])}, penwidth=${
      isWell(box) ? 1 : 3
    }];`;
  return [
    "graph flan {",
    `  label=${label([`${network} ${backend}`])};`,
    "  layout=twopi; root=h0; overlap=false; splines=true;",
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    node("h0", own),
    ...peers.flatMap((box, i) => [node(`h${i + 1}`, box), ...edge(box, i + 1)]),
    "}",
  ].join("\n");

  function edge(box: Box, i: number): string[] {
    if (box.way === "refused") return [];
    const style = isWell(box) ? "solid" : "dashed";
    return [`  h0 -- h${i} [label=${label([box.way])}, style=${style}, color=${label([colourOf(box)])}];`];
  }
}

/** Mermaid's flowchart: https://mermaid.js.org/syntax/flowchart.html. What has a meaning there is a character entity. */
export function mermaidOf({ network, backend, own, peers }: Picture): string {
  const text = (line: string) => line.replace(/[^\w .:/,-]/gu, (sign) => `#${sign.codePointAt(0)};`);
  const node = (id: string, box: Box) =>
    `  ${id}["${linesOf(box).map(text).join("<br/>")}"]:::${classOf(box)}`;
  return [
    "flowchart LR",
    `  %% ${text(network)} ${text(backend)}`,
    node("h0", own),
    ...peers.flatMap((box, i) => {
      const id = `h${i + 1}`;
      if (box.way === "refused") return [node(id, box)];
      return [node(id, box), `  h0 ${isWell(box) ? "---" : "-.-"}|${text(box.way)}| ${id}`];
    }),
    `  classDef well stroke:${WELL},stroke-width:1px`,
    `  classDef ill stroke:${ILL},stroke-width:3px`,
  ].join("\n");
}

/** Both can be told from each other and from the ground, light or dark; and nothing is said by colour alone. */
export const WELL = "#2e9e5b";
export const ILL = "#d9480f";

export function isWell({ state }: Box): boolean {
  return state === "ok" || state === "local";
}

function colourOf(box: Box): string {
  return isWell(box) ? WELL : ILL;
}

function classOf(box: Box): "well" | "ill" {
  return isWell(box) ? "well" : "ill";
}
