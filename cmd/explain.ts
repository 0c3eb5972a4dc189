/** `flan routes explain`: the way of a packet, hop by hop, and where it is broken. */
import { explainWay, firstBreak } from "../kernel/explain/explain.ts";
import { readJoined } from "../agent/joined.ts";
import { isAgentThere } from "../agent/lock.ts";
import { explainElsewhere, explainLocal } from "../kernel/explain/local.ts";
import { downStep, sourceStep } from "../kernel/explain/underlay.ts";
import type { Host } from "../backends/backend.ts";
import { forwardingSysctl } from "../kernel/forwarding.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/explain/way.ts";
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { familyOf, formatIp, parseIp, parsePrefix } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import type { Context } from "./context.ts";
import { exit } from "./exit.ts";
import { lookUp, sourceFacts, wayFacts } from "./explain_facts.ts";
import { type Target, targetOf } from "./explain_lease.ts";
import { explainScreen, type Remedy } from "./explain_screen.ts";
import { halfIn } from "./halves.ts";
import type { Call } from "./leaf.ts";
import { type Observed, withObservation } from "./observe.ts";
import { type Format, print, printJson, terminalColumns } from "./output.ts";
import { noLease } from "./own_lease.ts";
import { startCommand } from "./rejoin.ts";

interface Explanation {
  readonly target: Target | undefined;
  readonly steps: readonly Step[];
}

export async function explainRoute({ context, format, flags, args }: Call): Promise<number> {
  const ip = addressArgument("<ip>", args[0]!);
  const from = flags["from"] === undefined ? undefined : addressArgument("--from", String(flags["from"]));
  if (from !== undefined && familyOf(from) !== familyOf(ip)) {
    throw invalid("cli", `Cannot use --from ${quoted(from)}: no packet goes from there to ${ip}`);
  }
  const now = context.clock.now();
  const explanation = await withObservation(context, async (whole, { kernel, isProxyHidden }) => {
    const observed = halfIn(whole, familyOf(ip)) ?? whole;
    if (observed.view.own === undefined) throw noLease(context.settings.store);
    const target = targetOf(ip, observed, now);
    const steps = await stepsTo(target, { context, kernel, observed, host: whole.host, ip, from });
    return { target, steps: isProxyHidden() ? [...steps, hiddenProxy] : steps };
  }).catch(withoutUnderlay);
  show(format, { ...explanation, ip, from });
  return firstBreak(explanation.steps) === undefined ? exit.done : exit.no;
}

const hiddenProxy: Step = {
  what: "proxy",
  text: "its routes",
  state: "skipped",
  note: "only root can ask the proxy",
  prove: "flan proxy routes",
};

async function stepsTo(
  target: Target,
  { context, kernel, observed, host, ip, from }: {
    context: Context;
    kernel: Kernel;
    observed: Observed;
    host: Host;
    ip: string;
    from: string | undefined;
  },
): Promise<readonly Step[]> {
  if (target.kind === "peer") {
    const { runDir } = context.settings;
    const agent = { isAnswered: isAgentThere(runDir), start: startCommand(context, readJoined(runDir)) };
    const facts = await wayFacts(kernel, { observed, host, ip, peer: target.peer, from, ...agent });
    return [target.step, ...explainWay(facts)];
  }
  const lookup = await lookUp(kernel, ip);
  const source = from === undefined
    ? []
    : [sourceStep(await sourceFacts(kernel, { observed, ip, from }), { ip, wanted: [] })];
  if (target.kind === "nowhere") {
    // A link that is down takes the routes along by which a backend judges who can be a peer.
    const down = target.isRefused ? downStep(observed.actual, observed.host.underlay.link) : [];
    return [...down, target.step, ...source, ...explainElsewhere(ip, lookup)];
  }
  const link = lookup.match?.route.link;
  const actual = await kernel.dump({
    links: link === undefined ? [] : [link],
    sysctls: [forwardingSysctl[familyOf(ip)]],
    linksOnly: true,
  });
  const { lease: { subnet }, step } = target;
  return [
    step,
    ...source,
    ...explainLocal({ ip, subnet, device: observed.devices[0] ?? "", lookup, actual }),
  ];
}

/** A host without underlay can plan nothing: that is the first break, and all that can be said. */
function withoutUnderlay(error: unknown): Explanation {
  if (!(error instanceof FlanError) || error.op !== "underlay") throw error;
  const note = [error.message, error.hint].filter(Boolean).join("; ");
  const step: Step = { what: "underlay", text: "none", state: "missing", note, prove: "ip address show" };
  return { target: undefined, steps: [step] };
}

function show(
  format: Format,
  { ip, from, target, steps }: Explanation & { ip: string; from: string | undefined },
): void {
  const broken = firstBreak(steps);
  const subnet = target?.kind === "nowhere" ? undefined : target?.lease.subnet;
  const remedy: Remedy | undefined = broken && {
    commands: broken.repair ?? [],
    flan: broken.ours && subnet !== undefined ? `flan routes repair ${subnet}` : undefined,
  };
  if (format.kind !== "json") return print(explainScreen(steps, remedy, terminalColumns()));
  printJson("routes-explain", {
    ip,
    from: from ?? null,
    subnet: subnet ?? null,
    ok: broken === undefined,
    broken: broken?.what ?? null,
    steps: steps.map(({ what, state, text, note, prove }): Json => ({
      what,
      state,
      text,
      note: note ?? null,
      prove: prove ?? null,
    })),
    repair: remedy === undefined ? null : { commands: [...remedy.commands], flan: remedy.flan ?? null },
  });
}

function addressArgument(place: string, text: string): string {
  const refuse = (reason: string) => invalid("cli", `Cannot use ${place} ${quoted(text)}: ${reason}`);
  let ip;
  try {
    ip = parseIp(text);
  } catch (error) {
    const inside = addressIn(text);
    if (inside !== undefined) {
      throw refuse(`it is a subnet, and a packet goes to one address, such as ${inside}`);
    }
    throw refuse(messageOf(error).replace(/^Cannot parse \w+ .*?: /, ""));
  }
  return formatIp(ip);
}

/** An address of the subnet that stands there, if one does. */
function addressIn(text: string): string | undefined {
  try {
    const { ip, cidr } = parsePrefix(text);
    const isFirst = cidr.address === ip.value && cidr.length < 31;
    return formatIp(isFirst ? { ...ip, value: ip.value + 1n } : ip);
  } catch (error) {
    if (error instanceof FlanError) return undefined;
    throw error;
  }
}
