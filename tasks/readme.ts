/**
 * Writes into the README what flan prints: `deno task readme`, as root. What differs from run to run stays as it
 * was. `test/readme_test.ts` fails where the README shows anything else. Where a block is marked: `readme/blocks.ts`.
 */
import { alike, blocksIn, withTexts } from "./readme/blocks.ts";
import { textsOf } from "./readme/outputs.ts";

const file = new URL("../README.md", import.meta.url);
const readme = Deno.readTextFileSync(file);
const blocks = blocksIn(readme);
const texts = await textsOf(blocks);
const kept = blocks.map(({ text }, i) => alike(text, texts[i]!) ? text : texts[i]!);
const changed = blocks.filter(({ text }, i) => text !== kept[i]);
Deno.writeTextFileSync(file, withTexts(readme, kept));
console.log(`readme: ${blocks.length} blocks, ${changed.length} changed`);
