/** A subnet that a person typed as an argument or as the value of a flag. */
import { invalid, messageOf } from "../net/errors.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import { quoted } from "../net/text.ts";

/** The canonical text of the subnet. Throws `invalid` naming `place` (`--subnet`), the value and the reason. */
export function subnetArgument(place: string, text: string): string {
  try {
    return formatCidr(parseCidr(text));
  } catch (error) {
    const reason = messageOf(error).replace(/^Cannot parse \w+ .*?: /, "");
    throw invalid("cli", `Cannot use ${place} ${quoted(text)}: ${reason}`);
  }
}

/** The same of a flag that may not be there. */
export function optionalSubnet(place: string, value: unknown): string | undefined {
  return typeof value === "string" ? subnetArgument(place, value) : undefined;
}
