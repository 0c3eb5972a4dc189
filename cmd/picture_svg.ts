/**
 * The picture as SVG 1.1, laid out in rows: this host on top, its peers below in columns, each with a line to the trunk
 * of its row. Readable from one host to hundreds, in light and in dark. Pure.
 */
import { type Box, linesOf, type Picture } from "./picture.ts";
import { ILL, isWell, WELL } from "./picture_text.ts";

/** Pixels. A line of 35 monospaced characters at 12 px, 7.3 px each, fits a box. */
const WIDTH = 270;
const LINE = 16;
const HEIGHT = 4 * LINE + 14;
const GAP = { x: 24, y: 34 };
const MARGIN = 24;
const TITLE = 34;
const LONGEST = 34;
/** So many boxes stand beside one another at most. */
const MOST_COLUMNS = 5;

export function svgOf({ network, backend, own, peers }: Picture): string {
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.ceil(Math.sqrt(peers.length))));
  const rows = Math.ceil(peers.length / columns);
  const width = 2 * MARGIN + GAP.x + columns * WIDTH + (columns - 1) * GAP.x;
  const top = MARGIN + TITLE;
  const height = top + HEIGHT + rows * (HEIGHT + GAP.y) + MARGIN;
  const trunk = MARGIN + GAP.x / 2;
  const place = (i: number) => ({
    x: MARGIN + GAP.x + (i % columns) * (WIDTH + GAP.x),
    y: top + HEIGHT + GAP.y + Math.floor(i / columns) * (HEIGHT + GAP.y),
  });
  const wired = peers.flatMap((box, i) => box.way === "refused" ? [] : [{ box, ...place(i) }]);
  // What all share is of no colour; each peer's own piece tells how it stands.
  const shared = wired.map(({ x, y }) => `M ${trunk} ${top + HEIGHT} V ${y - GAP.y / 2} H ${x + WIDTH / 2}`);
  const wires = [
    `<path class="trunk" d="${shared.join(" ")}"/>`,
    ...wired.map(({ box, x, y }) =>
      `<path class="wire ${classOf(box)}" d="M ${x + WIDTH / 2} ${y - GAP.y / 2} V ${y}"/>`
    ),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(`flan ${network} ${backend}, ${peers.length} peers`)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="title" x="${MARGIN}" y="${MARGIN + 14}">${escaped(`${network} ${backend}`)}</text>`,
    ...wires,
    boxAt(own, { x: MARGIN, y: top }),
    ...peers.map((box, i) => boxAt(box, place(i))),
    "</svg>",
  ].join("\n");
}

const STYLE = [
  ".ground{fill:#fff}.box{fill:#f6f8fa;stroke-width:1.5}.trunk{fill:none;stroke:#8b949e}.wire{stroke-width:1.5}",
  "text{font:12px monospace;fill:#1f2328}.title{font-size:15px;font-weight:bold}.name{font-weight:bold}",
  `.well{stroke:${WELL}}.ill{stroke:${ILL};stroke-width:3}.wire.ill{stroke-dasharray:6 4}`,
  "@media (prefers-color-scheme:dark){.ground{fill:#0d1117}.box{fill:#161b22}text{fill:#e6edf3}}",
].join("");

function boxAt(box: Box, { x, y }: { x: number; y: number }): string {
  const lines = linesOf(box).map((line, i) => {
    const name = i === 0 ? ' class="name"' : "";
    return `<text${name} x="${x + 10}" y="${y + 18 + i * LINE}">${escaped(cut(line))}</text>`;
  });
  const frame = `<rect class="box ${
    classOf(box)
  }" x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`;
  return `<g>${frame}${lines.join("")}</g>`;
}

function classOf(box: Box): "well" | "ill" {
  return isWell(box) ? "well" : "ill";
}

function cut(line: string): string {
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

/** XML 1.0, 2.4. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
