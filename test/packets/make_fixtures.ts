/** Writes `fixtures/packets/` and `fixtures/packets6/`: `deno run -A test/packets/make_fixtures.ts`. */
import { type PacketFixture, writePacketFixtures } from "./fixtures.ts";
import { accepted6, refused6 } from "./fixtures6.ts";
import { ACK, DF, filler, icmp, ipv4, MF, SYN, tcp, udp, withByte, withHeaderChecksum } from "./packets.ts";
import { withTransportChecksum, withWord } from "./packets.ts";

const good = udp(filler(40));
const header = (packet: Uint8Array) => withHeaderChecksum(packet);
const nothing = new Uint8Array(0);
const zeros = (length: number) => new Uint8Array(length);

/** An IPv6 packet with a UDP header (RFC 8200). */
const ipv6 = new Uint8Array([0x60, 0, 0, 0, 0, 8, 17, 64, ...filler(32), ...filler(8)]);

const accepted: Record<string, [string, Uint8Array]> = {
  "udp": ["a UDP datagram", good],
  "udp-empty": ["a UDP datagram without payload", udp(nothing)],
  "udp-without-checksum": [
    "a UDP datagram whose sender left the checksum out",
    udp(filler(40), { unchecked: true }),
  ],
  "udp-wrong-checksum": [
    "a UDP checksum that is wrong, which is the receiver's to judge",
    withWord(good, 26, 1),
  ],
  "udp-wrong-length": ["a UDP length that is wrong, likewise", withTransportChecksum(withWord(good, 24, 9))],
  "udp-cut": ["a UDP header that is cut off", ipv4(17, filler(7))],
  "header-only": ["a header and nothing behind it", ipv4(17, nothing)],
  "tcp": ["a TCP segment", tcp(filler(40))],
  "tcp-syn": [
    "a TCP SYN with options",
    tcp(nothing, { flags: SYN, tcpOptions: new Uint8Array([2, 4, 5, 0xb4, 4, 2]) }),
  ],
  "tcp-cut": ["a TCP header that is cut off", ipv4(6, filler(19))],
  "tcp-offset-4": [
    "a TCP data offset that is too small",
    withTransportChecksum(withByte(tcp(filler(40)), 32, 0x40)),
  ],
  "tcp-offset-15": [
    "a TCP data offset that reaches behind the packet",
    withTransportChecksum(withByte(tcp(filler(4)), 32, 0xf0)),
  ],
  "tcp-no-flags": ["a TCP segment without any flag", tcp(filler(40), { flags: 0 })],
  "tcp-all-flags": ["a TCP segment with all flags", tcp(filler(40), { flags: 255 })],
  "protocol-255": ["a protocol that nobody speaks", ipv4(255, filler(40))],
  "icmp-echo": ["an ICMP echo request", icmp(8, 0, filler(40))],
  "icmp-unreachable": [
    "an ICMP error: port unreachable",
    icmp(3, 3, new Uint8Array([0, 0, 0, 0, ...good.subarray(0, 28)])),
  ],
  "icmp-time-exceeded": [
    "an ICMP error: time exceeded",
    icmp(11, 0, new Uint8Array([0, 0, 0, 0, ...good.subarray(0, 28)])),
  ],
  "icmp-cut": ["an ICMP message of one byte", ipv4(1, new Uint8Array([8]))],
  "fragment-first": ["the first fragment of a datagram", ipv4(17, filler(48), { fragment: MF })],
  "fragment-middle": ["a fragment from the middle", ipv4(17, filler(48), { fragment: MF | 6 })],
  "fragment-last": ["the last fragment", ipv4(17, filler(20), { fragment: 12 })],
  "fragment-odd": [
    "a fragment of no multiple of 8 bytes with more to come",
    ipv4(17, filler(13), { fragment: MF }),
  ],
  "fragment-behind-end": [
    "a fragment that ends behind 64 KiB, which is the receiver's to judge",
    ipv4(17, filler(48), { fragment: 0x1fff }),
  ],
  "fragment-with-df": ["a fragment that must not be fragmented", ipv4(17, filler(48), { fragment: DF | MF })],
  "reserved-bit": ["the reserved flag (RFC 3514)", udp(filler(40), { fragment: 0x8000 })],
  "options": [
    "record route and padding",
    udp(filler(40), { options: new Uint8Array([7, 7, 4, 0, 0, 0, 0, 0]) }),
  ],
  "options-most": [
    "40 bytes of options, the longest header",
    udp(filler(40), { options: zeros(40).fill(1) }),
  ],
  "options-unreadable": [
    "an option with a length of 0",
    udp(filler(40), { options: new Uint8Array([0x83, 0, 4, 4]) }),
  ],
  "ttl-2": ["the smallest TTL that may be forwarded", udp(filler(40), { ttl: 2 })],
  "ttl-255": ["the largest TTL", udp(filler(40), { ttl: 255 })],
  "tos-255": ["all bits of the ToS", udp(filler(40), { tos: 255 })],
  "larger-than-mtu": ["larger than any MTU of Ethernet", udp(zeros(8000))],
  "largest": ["64 KiB: as large as a datagram can be that carries a packet", udp(zeros(65507 - 28))],
  "checksum-0": ["a header whose checksum is 0", checksumZero()],
};

/** A header whose identification makes its checksum 0. */
function checksumZero(): Uint8Array {
  const packet = udp(filler(40), { id: 0 });
  return header(withWord(packet, 4, packet[10]! * 256 + packet[11]!));
}

const refused: Record<string, [string, string, Uint8Array]> = {
  "short-0": ["in_drop_short", "nothing at all", nothing],
  "short-1": ["in_drop_short", "one byte", good.slice(0, 1)],
  "short-19": ["in_drop_short", "one byte less than a header", good.slice(0, 19)],
  "ipv6": ["in_drop_not_ipv4", "an IPv6 packet", ipv6],
  "version-0": ["in_drop_not_ipv4", "zeros", zeros(60)],
  "version-15": ["in_drop_not_ipv4", "ones", zeros(60).fill(255)],
  "version-5": [
    "in_drop_not_ipv4",
    "version 5, and everything else as it should be",
    withByte(good, 0, 0x55),
  ],
  "text": [
    "in_drop_not_ipv4",
    "text, as it comes from a program that found the port",
    new TextEncoder().encode("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
  ],
  "ihl-0": ["in_drop_header_length", "a header length of 0", withByte(good, 0, 0x40)],
  "ihl-4": ["in_drop_header_length", "a header length of 16 bytes", withByte(good, 0, 0x44)],
  "ihl-15": [
    "in_drop_header_length",
    "a header length of 60 bytes in a packet of 59",
    withWord(withByte(good.slice(0, 59), 0, 0x4f), 2, 59),
  ],
  "total-0": ["in_drop_length", "a total length of 0", header(withWord(good, 2, 0))],
  "total-19": ["in_drop_length", "a total length of less than a header", header(withWord(good, 2, 19))],
  "total-less": [
    "in_drop_length",
    "a total length of one byte less than there are",
    header(withWord(good, 2, good.length - 1)),
  ],
  "total-more": [
    "in_drop_length",
    "a total length of one byte more than there are",
    header(withWord(good, 2, good.length + 1)),
  ],
  "total-most": ["in_drop_length", "a total length of 65,535", header(withWord(good, 2, 65535))],
  "padded": ["in_drop_length", "a packet with zeros behind it", new Uint8Array([...good, 0, 0, 0, 0])],
  "two": ["in_drop_length", "two packets in one datagram", new Uint8Array([...good, ...good])],
  "cut": ["in_drop_length", "a packet that is cut off", good.slice(0, 40)],
  "checksum": [
    "in_drop_checksum",
    "a header's checksum that is wrong by one bit",
    withByte(good, 11, good[11]! ^ 1),
  ],
  "checksum-none": ["in_drop_checksum", "a header's checksum that was left out", withWord(good, 10, 0)],
  "checksum-options": [
    "in_drop_checksum",
    "a bit that is wrong in the last option",
    withByte(udp(filler(40), { options: zeros(40).fill(1) }), 59, 0),
  ],
  "ttl-0": ["in_drop_ttl", "a TTL of 0", udp(filler(40), { ttl: 0 })],
  "ttl-1": ["in_drop_ttl", "a TTL of 1, which ends here", tcp(filler(40), { ttl: 1, flags: ACK })],
  "ttl-1-icmp-error": [
    "in_drop_ttl",
    "a TTL of 1 on an ICMP error, about which nobody is told",
    icmp(3, 3, filler(32), { ttl: 1 }),
  ],
  "source-ours": [
    "in_drop_source",
    "a source in the receiver's own subnet",
    udp(filler(40), { source: [10, 244, 1, 9] }),
  ],
  "source-unleased": [
    "in_drop_source",
    "a source in a subnet that nobody has",
    udp(filler(40), { source: [10, 244, 77, 9] }),
  ],
  "source-0": ["in_drop_source", "the source 0.0.0.0", udp(filler(40), { source: [0, 0, 0, 0] })],
  "source-loopback": ["in_drop_source", "the source 127.0.0.1", udp(filler(40), { source: [127, 0, 0, 1] })],
  "source-multicast": [
    "in_drop_source",
    "a source of multicast",
    udp(filler(40), { source: [224, 0, 0, 1] }),
  ],
  "destination-theirs": [
    "in_drop_destination",
    "a destination in the sender's own subnet",
    udp(filler(40), { destination: [10, 244, 2, 9] }),
  ],
  "destination-unleased": [
    "in_drop_destination",
    "a destination in a subnet that nobody has",
    udp(filler(40), { destination: [10, 244, 77, 9] }),
  ],
  "destination-outside": [
    "in_drop_destination",
    "a destination outside the network",
    udp(filler(40), { destination: [192, 0, 2, 1] }),
  ],
  "destination-loopback": [
    "in_drop_destination",
    "the destination 127.0.0.1",
    udp(filler(40), { destination: [127, 0, 0, 1] }),
  ],
  "multicast": ["in_drop_destination", "multicast", udp(filler(40), { destination: [224, 0, 0, 251] })],
  "broadcast": ["in_drop_destination", "broadcast", udp(filler(40), { destination: [255, 255, 255, 255] })],
};

type Packets = Readonly<Record<string, readonly [string, Uint8Array]>>;

function listed(
  accepted: Packets,
  refused: Readonly<Record<string, readonly [string, string, Uint8Array]>>,
): PacketFixture[] {
  const all = [
    ...Object.entries(accepted).map(([name, [what, bytes]]) => ({
      name,
      counter: "in_packets",
      what,
      bytes,
    })),
    ...Object.entries(refused).map(([name, [counter, what, bytes]]) => ({ name, counter, what, bytes })),
  ];
  return all.map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) })).sort((a, b) =>
    a.name < b.name ? -1 : 1
  );
}

/** What the script writes. */
export const made: Readonly<Record<4 | 6, PacketFixture[]>> = {
  4: listed(accepted, refused),
  6: listed(accepted6, refused6),
};

if (import.meta.main) {
  writePacketFixtures(made[4], 4);
  writePacketFixtures(made[6], 6);
}
