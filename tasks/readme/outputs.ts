/** Runs what the README's marked blocks show. */
import { allEnded } from "../../net/all_ended.ts";
import { type Block, blockText } from "./blocks.ts";
import { ReadmeHosts } from "./hosts.ts";

/** What a block's commands run on. */
export type Place = Pick<ReadmeHosts, "output"> & AsyncDisposable;

/**
 * The text of each block as it is now, in their order. Blocks of one backend run one after the other, on the same hosts, which
 * are gone when it resolves or rejects.
 */
export async function textsOf(
  blocks: readonly Block[],
  create: (backend: string) => Promise<Place> = (backend) => ReadmeHosts.create(backend),
): Promise<string[]> {
  const texts = new Map<Block, string>();
  const backends = [...new Set(blocks.map(({ backend }) => backend))];
  await allEnded(backends.map(async (backend) => {
    await using hosts = await create(backend);
    for (const block of blocks.filter((one) => one.backend === backend)) {
      if (block.first !== undefined) await hosts.output(block.first);
      const said = [];
      for (const command of block.commands) said.push({ command, output: await hosts.output(command) });
      texts.set(block, blockText(said));
    }
  }));
  return blocks.map((block) => texts.get(block)!);
}
