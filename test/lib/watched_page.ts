/**
 * A program that watches a page over HTTP: prints its status and text in one line each time that it is another one,
 * `0` where nobody answers. Arguments: the URL.
 */
const EVERY_MS = 50;

/** The path of this program. */
export const watchedPageFile = decodeURIComponent(new URL(import.meta.url).pathname);

async function look(url: string): Promise<string> {
  try {
    const answer = await fetch(url);
    return `${answer.status} ${(await answer.text()).trimEnd().replaceAll("\n", " ")}`;
  } catch {
    return "0";
  }
}

if (import.meta.main) {
  for (let last = "";;) {
    const now = await look(Deno.args[0]!);
    if (now !== last) console.log(now);
    last = now;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
