/** The drawn network: every lease is in it, whoever wrote its text, and no box lies on another one. */
import assert from "node:assert/strict";
import { type Box, linesOf, type Picture } from "../../cmd/picture.ts";
import { svgOf } from "../../cmd/picture_svg.ts";
import { dotOf, mermaidOf } from "../../cmd/picture_text.ts";

const box = (n: number, change: Partial<Box> = {}): Box => ({
  subnet: `10.5.${n}.0/24`,
  at: `192.0.2.${n}`,
  node: "22222222",
  way: "vxlan",
  state: "ok",
  note: "",
  ...change,
});
const own = box(1, { way: "local", state: "local" });
const picture = (peers: readonly Box[]): Picture => ({
  network: "10.5.0.0/16",
  backend: "vxlan",
  own,
  peers,
});
const many = (count: number) => picture(Array.from({ length: count }, (_, i) => box(i + 2)));
const hostile = box(3, { subnet: `x"]; <b>&'\\#`, way: "refused", state: "refused", node: "", at: "" });
const ill = box(2, { state: "missing", note: "fdb" });

/** Every element, insisting that each one ends and that no text holds a tag. */
function elements(svg: string): string[] {
  const open: string[] = [];
  const found: string[] = [];
  for (const [, end, name, rest, single] of svg.matchAll(/<(\/?)(\w+)([^<>]*?)(\/?)>/g)) {
    if (end === "/") assert.equal(open.pop(), name);
    else {
      found.push(`${name}${rest}`);
      if (single !== "/") open.push(name!);
    }
  }
  assert.deepEqual(open, []);
  assert.equal(svg.replace(/<[^<>]*>/g, "").search(/[<>]/), -1);
  assert.doesNotMatch(svg, /&(?!(amp|lt|gt|quot);)/);
  return found;
}

for (const count of [0, 1, 2, 12, 200]) {
  Deno.test(`an SVG of ${count} peers is well-formed, and no box lies on another or outside`, () => {
    const svg = svgOf(many(count));
    const boxes = elements(svg).flatMap((one) => {
      const [, x, y, width, height] =
        /^rect class="box.* x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/.exec(one) ?? [];
      return x === undefined ? [] : [[x, y, width, height].map(Number) as [number, number, number, number]];
    });
    assert.equal(boxes.length, count + 1);
    const [, right, bottom] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number) as [number, number, number];
    for (const [i, [x, y, width, height]] of boxes.entries()) {
      assert.ok(x >= 0 && y >= 0 && x + width <= right && y + height <= bottom);
      for (const [x2, y2] of boxes.slice(i + 1)) {
        assert.ok(Math.abs(x - x2) >= width || Math.abs(y - y2) >= height, `${x},${y} and ${x2},${y2}`);
      }
    }
  });
}

Deno.test("text of others stays text in every format, and is shown", () => {
  const drawn = picture([ill, hostile]);
  elements(svgOf(drawn));
  assert.ok(svgOf(drawn).includes("x&quot;]; &lt;b&gt;&amp;'"));
  assert.ok(dotOf(drawn).includes(`[label="x\\"]; <b>&'\\\\#\\nrefused"`));
  assert.ok(mermaidOf(drawn).includes('h2["x#34;#93;#59; #60;b#62;#38;#39;#92;#35;<br/>refused"]:::ill'));
});

Deno.test("a peer that is not reached is told by words, line and colour; a refused lease has no line", () => {
  const drawn = picture([ill, hostile, box(4)]);
  assert.match(mermaidOf(drawn), /h0 -\.-\|vxlan\| h1\n[^]*h0 ---\|vxlan\| h3/);
  assert.doesNotMatch(mermaidOf(drawn), /\| h2$/m);
  assert.match(dotOf(drawn), /h0 -- h1 \[label="vxlan", style=dashed/);
  assert.doesNotMatch(dotOf(drawn), /h0 -- h2 /);
  assert.equal(svgOf(drawn).match(/<path class="wire /g)?.length, 2);
  assert.equal(svgOf(drawn).match(/<path class="wire ill"/g)?.length, 1);
  assert.deepEqual(linesOf(ill), ["10.5.2.0/24", "192.0.2.2 node 22222222", "vxlan: missing", "fdb"]);
});

Deno.test("a long line is cut where its box ends", () => {
  const svg = svgOf(picture([box(2, { note: "n".repeat(99) })]));
  assert.ok(svg.includes(`>${"n".repeat(33)}…<`));
});
