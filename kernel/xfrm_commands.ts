/** IPsec's states and policies in the words of `ip xfrm` (iproute2, man 8 ip-xfrm). */
import type { Change } from "./kernel.ts";
import { describeXfrm, type EncapSocket, type XfrmPolicy, type XfrmState } from "./xfrm.ts";

/** A key is derived anew for each state, and stands nowhere: adding one is a comment. */
export function xfrmCommand(verb: Change["verb"], object: XfrmState | XfrmPolicy): string {
  if (object.kind === "xfrm-policy") return policyCommand(verb, object);
  const { source, destination, spi } = object;
  const remove = `ip xfrm state delete src ${source} dst ${destination} proto esp spi 0x${spi.toString(16)}`;
  if (verb === "delete") return remove;
  return `# flan up makes the ${describeXfrm(object)}, whose key it derives from Backend.PSK`;
}

/** No command holds a socket like that. */
export function encapSocketComment(verb: Change["verb"], { port }: EncapSocket): string {
  return verb === "delete"
    ? `# flan down ends the process that holds UDP port ${port}`
    : `# flan up starts a process that holds UDP port ${port} for ESP in UDP`;
}

function policyCommand(verb: Change["verb"], policy: XfrmPolicy): string {
  const { direction, source, destination, priority, action, ends, requestId, interfaceId } = policy;
  const id = [
    `src ${source} dst ${destination} dir ${direction}`,
    ...(interfaceId === 0 ? [] : [`if_id ${interfaceId}`]),
  ];
  if (verb === "delete") return ["ip xfrm policy delete", ...id].join(" ");
  return [
    `ip xfrm policy ${verb === "add" ? "add" : "update"}`,
    ...id,
    ...(action === "block" ? ["action block"] : []),
    `priority ${priority} tmpl`,
    ...(ends === undefined ? [] : [`src ${ends.source} dst ${ends.destination}`]),
    `proto esp reqid ${requestId}`,
    action === "tunnel" ? "mode tunnel" : "mode transport level use",
  ].join(" ");
}
