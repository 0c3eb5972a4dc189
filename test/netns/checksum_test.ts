/** The checksum offload of a real device is what the host was told, and packets of a peer that lacks it are named. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { udp } from "../lib/packet_bytes.ts";
import { sendRaw } from "../lib/programs.ts";
import { until } from "../lib/until.ts";

const PORT = 8472;

/** Reads the switch of the device, after it was set where `to` says so: `ethtool -K flan.1 tx on`. */
async function offload(host: LabHost, to?: boolean): Promise<string> {
  const source = new URL("../../ffi/tx_checksum.ts", import.meta.url).href;
  const program = `import { readTxChecksum, setTxChecksum } from "${source}";
    ${to === undefined ? "" : `setTxChecksum("flan.1", ${to});`}
    console.log(readTxChecksum("flan.1"));`;
  const said = await must([
    "ip",
    "netns",
    "exec",
    host.namespace,
    Deno.execPath(),
    "eval",
    "--quiet",
    program,
  ]);
  return said.trim();
}

/** A VXLAN packet with a frame of zeros, whose outer checksum is another packet's. */
function spoiled(from: LabHost, to: LabHost): Uint8Array {
  const payload = new Uint8Array(120);
  payload.set([0x08, 0, 0, 0, 0, 0, 1, 0]);
  const packet = udp({ source: from.address, destination: to.address, from: 40000, port: PORT, payload });
  packet.set([0xff], packet.length - 1);
  return packet;
}

async function codes(hosts: Hosts, host: LabHost, command: "status" | "doctor"): Promise<string[]> {
  const { stdout } = await hosts.lab.flan(host, [command, "-o", "json"]);
  const { problems = [], items = [] } = JSON.parse(stdout) as Record<string, { code: string }[]>;
  return [...problems, ...items].map(({ code }) => code);
}

hostTest(
  "checksums: the offload stays off, and who sends wrong ones is found",
  { lab: "checksum", hosts: 2 },
  async (hosts, t) => {
    const [one, peer] = await hosts.joinAll(["--tx-checksum", "off"]) as [Member, Member];

    await t.step("the device is made with it off, and whoever switches it on is corrected", async () => {
      assert.equal(await offload(one.host), "false");
      const mark = one.agent.err.lines.length;
      await offload(one.host, true);
      await one.agent.err.line(/Repaired link flan\.1/, mark);
      assert.equal(await offload(one.host), "false");
      await hosts.ip(one.host, "link delete flan.1");
      await until(
        "a new device with the offload off",
        async () =>
          await hosts.lab.on(one.host, ["ip", "link", "show", "flan.1", "up"]).then(({ stdout }) =>
            stdout !== ""
          ) &&
          await offload(one.host) === "false",
      );
      await hosts.knows(one, [one, peer]);
      await hosts.allReach([one, peer]);
    });

    await t.step(
      "sound packets are no reason to complain, those with a wrong checksum are named",
      async () => {
        assert.ok(!(await codes(hosts, one.host, "status")).includes("checksum-errors"));
        const mark = one.agent.err.lines.length;
        await sendRaw(
          hosts,
          peer.host,
          Array.from({ length: 8 }, () => spoiled(peer.host, one.host)),
        );
        await one.agent.err.line(/\d packets with a wrong UDP checksum came to port 8472/, mark);
        for (const command of ["status", "doctor"] as const) {
          assert.ok((await codes(hosts, one.host, command)).includes("checksum-errors"), command);
        }
        assert.ok(!(await codes(hosts, peer.host, "status")).includes("checksum-errors"));
      },
    );

    await t.step("where no agent runs, the difference is named with the command that mends it", async () => {
      await one.agent.end();
      await offload(one.host, true);
      const { code, stdout } = await hosts.lab.flan(one.host, ["routes", "diff", "-o", "commands"]);
      assert.equal(code, 3);
      assert.match(stdout, /^ethtool -K flan\.1 tx off$/m);
      const way = await hosts.lab.flan(one.host, ["routes", "explain", peer.container]);
      assert.equal(way.code, 3);
      assert.match(way.stdout, /^link +wrong .* ethtool -k flan\.1\n +txChecksum is true, not false$/m);
    });
  },
);
