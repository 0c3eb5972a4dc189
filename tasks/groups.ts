/**
 * Test files in groups. `deno test` gives every file it is told of an isolate of its own, and loading the program
 * into it takes more than most files' tests: so it is told of files that import others.
 */

const root = new URL("../", import.meta.url);

/** Paths are from the root of the tree. */
export interface Grouped {
  readonly folders: readonly string[];
  /** How many groups there are, unless there are fewer files. */
  readonly count: number;
  /** Test files that stay by themselves. */
  readonly apart?: readonly string[];
}

/**
 * Writes files below `into`, called after `name`, which import all test files of the folders between them, and
 * returns what `deno test` is to be told of. Neighbours come into different groups, so that these are of about the
 * same length.
 */
export function writeGroups(
  { folders, count, apart = [] }: Grouped,
  { name, into }: { name: string; into: string },
): string[] {
  const files = folders.flatMap(testFilesIn).filter((file) => !apart.includes(file));
  const groups = Array.from({ length: Math.min(count, files.length) }, (_, i) => {
    const path = `${into}/${name}_${i + 1}_test.ts`;
    const members = files.filter((_, at) => at % count === i);
    const lines = members.map((file) => `import ${JSON.stringify(new URL(file, root).href)};\n`);
    Deno.writeTextFileSync(path, lines.join(""));
    return path;
  });
  return [...groups, ...apart];
}

/** All of the folder and of those in it, in the order of their names. */
function testFilesIn(folder: string): string[] {
  const entries = [...Deno.readDirSync(new URL(`${folder}/`, root))];
  return entries.sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? testFilesIn(path) : name.endsWith("_test.ts") ? [path] : [];
  });
}
