/** Whoever types a flag of flanneld's is told flan's own. */
import assert from "node:assert/strict";
import { Command, Option } from "../../cmd/cli/command.ts";
import { parseLine } from "../../cmd/cli/parse.ts";
import { flannelHint } from "../../cmd/flannel_flags.ts";
import { kebab, settingKeys } from "../../cmd/settings.ts";
import { FlanError } from "../../net/errors.ts";

const up = new Command("up", "x").addOption(new Option("--backend <type>", "x"))
  .addOption(new Option("--ip-masq", "x"));
const program = new Command("flan", "x").addCommand(up);

/** The hint for an option that is not known. */
function hintFor(option: string): string | undefined {
  try {
    parseLine(program, ["up", option]);
  } catch (error) {
    const [name] = option.split("=");
    const said = [`Unknown option '${name}'`, `Option '${name}' takes no value`];
    assert.ok(error instanceof FlanError && said.includes(error.message), String(error));
    return error.hint;
  }
  return assert.fail(`${option} is known`);
}

const cases: readonly (readonly [option: string, hint: RegExp])[] = [
  ["--iface-regex", /^it is --iface regex:PATTERN$/],
  ["--iface-can-reach", /^it is --iface can-reach:ADDRESS$/],
  ["--iface-regex=^eth", /^it is --iface regex:/],
  ["--etcd-endpoints", /^--store etcd:/],
  ["--ip-masq=true", /^it is --ip-masq alone; .* FLAN_IP_MASQ=false switches off$/],
  ["--no-ip-masq", /^it is --ip-masq alone; /],
  ["--iptables-forward-rules=false", /^--no-forward-rules /],
];

for (const [option, hint] of cases) {
  Deno.test(`flannel's flag ${option} is answered with flan's`, () => {
    const told = hintFor(option) ?? "none";
    assert.match(told, hint);
    for (const [, flag] of told.matchAll(/--([a-z0-9-]+)/g)) {
      assert.ok(settingKeys.map(kebab).includes(flag!), `flan has no --${flag}`);
    }
  });
}

Deno.test("other options that nobody knows have the hint that they had", () => {
  assert.equal(hintFor("--bakend"), "did you mean --backend?");
  assert.equal(flannelHint("-iface-regex=^eth"), "it is --iface regex:PATTERN", "Go takes one dash, too");
  for (const option of ["--no-iface-regex", "--constructor", "-x", "--"]) {
    assert.equal(flannelHint(option), undefined, option);
  }
});
