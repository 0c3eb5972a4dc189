/** `flan proxy routes`: where the proxy sends what. */
import { compareCidr, parseCidr } from "../net/ip.ts";
import type { Way } from "../proxy/protocol.ts";
import type { Command, Runner } from "./cli.ts";
import { exit } from "./exit.ts";
import { type Call, leaf } from "./leaf.ts";
import { type Column, printList, sayBefore } from "./output.ts";
import { askProxies, carriesNothing, proxySettings } from "./proxy_client.ts";

export function routesCommand(run: Runner): Command {
  return leaf(
    {
      name: "routes",
      summary: "Where the proxy sends what",
      anywhere: true,
      settings: proxySettings,
      formats: ["table", "json", "jsonl", "tsv"],
      after: "Exits with 3 where no proxy runs, or one that carries nothing.",
    },
    run,
    showRoutes,
  );
}

const columns: readonly Column<Way>[] = [
  { name: "DESTINATION", cell: ([destination]) => destination },
  { name: "REMOTE", cell: ([, remote]) => remote },
  { name: "PORT", cell: ([, , port]) => port },
];

async function showRoutes({ context, format, header }: Call): Promise<number> {
  const all = (await askProxies(context, (client) => client.show())).map(({ said }) => said);
  const vain = all.map(carriesNothing).filter((words) => words !== undefined);
  for (const words of vain) sayBefore(format, words);
  const [first, second] = all.map(({ pid, version, carrying, failure, proxy }) => ({
    pid,
    version,
    carrying,
    failure,
    proxy,
  }));
  printList(format, {
    schema: "proxy-routes",
    items: sorted(all.flatMap(({ routes }) => routes)),
    columns,
    tsv: columns,
    json: ([destination, remote, port]) => ({ destination, remote, port }),
    empty: "no routes: the proxy was given none",
    extra: { ...first, ...(second === undefined ? {} : { ipv6: second }) },
  }, header);
  return vain.length === 0 ? exit.done : exit.no;
}

function sorted(ways: readonly Way[]): Way[] {
  return ways.map((way) => ({ way, cidr: parseCidr(way[0]) }))
    .sort((a, b) => compareCidr(a.cidr, b.cidr))
    .map(({ way }) => way);
}
