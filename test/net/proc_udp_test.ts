/** What is read of /proc/net about UDP. The texts are Linux 6.18's. */
import assert from "node:assert/strict";
import { parseChecksumErrors, parseUdp } from "../../net/proc_udp.ts";

const UDP =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            ";

Deno.test("/proc/net/udp: sockets with addresses, ports and drops, and nothing of other lines", () => {
  const text = [
    UDP,
    " 3187: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 8412812 2 0000 10      ",
    "  991: 010200C0:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000 0",
    "  992: 010200C0:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 78 2 0000",
    "nonsense",
    "",
  ].join("\n");
  assert.deepEqual(parseUdp(text), [
    { address: "0.0.0.0", port: 8472, inode: "8412812", drops: 10 },
    { address: "192.0.2.1", port: 53, inode: "77", drops: 0 },
  ]);
});

Deno.test("/proc/net/udp6: addresses of IPv6, and those of IPv4 in its form as such", () => {
  const line = (local: string) =>
    `  1: ${local} 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 7 2 0000 0`;
  const text = [
    line("00000000000000000000000000000000:2118"),
    line("0000000000000000FFFF0000010200C0:2118"),
    line("B80D0120000000000000000001000000:0035"),
    line("000000000000000001000000:2118"),
  ].join("\n");
  const found = parseUdp(text).map(({ address, port }) => `${address} ${port}`);
  assert.deepEqual(found, [":: 8472", "192.0.2.1 8472", "2001:db8::1 53"]);
});

Deno.test("/proc/net/snmp: UDP's wrong checksums by their name, and not those of other protocols", () => {
  const text = [
    "Tcp: InSegs InCsumErrors",
    "Tcp: 5 3",
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors",
    "Udp: 328 0 30 31 0 0 29 0 0",
    "UdpLite: InDatagrams InCsumErrors",
    "UdpLite: 0 7",
    "",
  ].join("\n");
  assert.equal(parseChecksumErrors(text), 29);
  assert.equal(
    parseChecksumErrors("Udp: InDatagrams\nUdp: 1\n"),
    undefined,
    "a kernel that does not count them",
  );
  assert.equal(parseChecksumErrors("Udp: InCsumErrors\n"), undefined);
  assert.equal(parseChecksumErrors(""), undefined);
});
