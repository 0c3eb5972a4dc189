/** Reverse path filtering: strict, it drops what comes another way than answers would go (RFC 3704, 2.2). */
import { type Check, looked } from "../check.ts";
import { familyOfObject } from "../../kernel/relations.ts";
import { diagnosis } from "../diagnosis.ts";
import { sysctlOf } from "../facts.ts";

const STRICT = 1;
const nameOf = (link: string) => `net/ipv4/conf/${link}/rp_filter`;

export const rpFilter: Check = {
  name: "reverse path filter",
  judge({ network, kernel }) {
    return looked([network, kernel], ({ config, planned, devices, underlay }, there) => {
      const numberOf = (link: string) => Number(sysctlOf(there, nameOf(link)) ?? NaN);
      // Linux has no such filter for IPv6.
      if (config.network.family === 6) return [];
      const isOf6 = (name: string) =>
        planned.some((one) => one.kind === "link" && one.name === name && familyOfObject(one) === 6);
      const carrying = devices.filter((name) => !isOf6(name));
      const judged = [...carrying, underlay?.link ?? ""].filter((link) => !Number.isNaN(numberOf(link)));
      // The kernel takes the larger of the two (Documentation/networking/ip-sysctl.rst).
      const strict = judged.filter((link) => Math.max(numberOf("all") || 0, numberOf(link)) === STRICT);
      return strict.map((link) =>
        diagnosis("rp-filter-strict", {
          subject: link,
          message: `Link ${link} drops packets that come another way than answers would go (rp_filter is 1)`,
          remedy: `sysctl -w ${nameOf(link)}=2`,
        })
      );
    });
  },
};
