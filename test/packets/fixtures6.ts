/** The packets of `fixtures/packets6/`. */
import { ACK, filler, MF, SYN, tcp, udp, withByte, withWord } from "./packets.ts";
import { extension, fragmentHeader, icmp6, ipv6, translated, translatedAddress } from "./translate.ts";

const good = translated(udp(filler(40)));
const nothing = new Uint8Array(0);
const from = (...source: number[]) => ipv6(17, filler(40), { source });
const to = (...destination: number[]) => ipv6(17, filler(40), { destination });
const zeros = (length: number) => new Uint8Array(length);
const chained = (next: number, ...parts: Uint8Array[]) =>
  ipv6(next, new Uint8Array(parts.flatMap((part) => [...part])));

export const accepted6: Readonly<Record<string, readonly [string, Uint8Array]>> = {
  "udp": ["a UDP datagram", good],
  "udp-without-checksum": [
    "a UDP datagram without a checksum, which is the receiver's to judge",
    translated(udp(filler(40), { unchecked: true })),
  ],
  "udp-wrong-checksum": ["a UDP checksum that is wrong, likewise", withWord(good, 46, 1)],
  "udp-wrong-length": ["a UDP length that is wrong, likewise", withWord(good, 44, 9)],
  "udp-cut": ["a UDP header that is cut off", ipv6(17, filler(7))],
  "header-only": ["a header and nothing behind it", ipv6(59, nothing)],
  "tcp": ["a TCP segment", translated(tcp(filler(40)))],
  "tcp-syn": ["a TCP SYN", translated(tcp(nothing, { flags: SYN }))],
  "tcp-cut": ["a TCP header that is cut off", ipv6(6, filler(19))],
  "tcp-offset-15": [
    "a TCP data offset that reaches behind the packet",
    withByte(translated(tcp(filler(4), { flags: ACK })), 52, 0xf0),
  ],
  "icmp-echo": ["an ICMPv6 echo request", icmp6(128, 0, filler(40))],
  "icmp-too-big": ["an ICMPv6 error: packet too big", icmp6(2, 0, new Uint8Array([0, 0, 5, 0, ...good]))],
  "icmp-cut": ["an ICMPv6 message of one byte", ipv6(58, new Uint8Array([128]))],
  "fragment-first": ["the first fragment of a datagram", translated(udp(filler(80), { fragment: MF }))],
  "fragment-last": ["the last fragment", chained(44, fragmentHeader(17, 12, false), filler(20))],
  "fragment-atomic": [
    "a fragment header on a whole packet (RFC 6946)",
    chained(44, fragmentHeader(17, 0, false), filler(20)),
  ],
  "extension-cut": ["an extension header that is cut off", ipv6(60, filler(7))],
  "extension-behind-end": [
    "an extension header that ends behind the packet",
    ipv6(60, new Uint8Array([17, 9, ...filler(20)])),
  ],
  "extensions": [
    "a chain of extension headers",
    chained(0, extension(60, filler(6)), extension(43, filler(14)), extension(17, filler(6)), filler(20)),
  ],
  "hop-limit-2": ["the smallest hop limit that may be forwarded", ipv6(17, filler(40), { hopLimit: 2 })],
  "traffic-class-and-label": [
    "all of traffic class and flow label",
    ipv6(17, filler(40), { trafficClass: 255, label: 0xfffff }),
  ],
  "larger-than-mtu": ["a packet that is larger than any MTU of the way", ipv6(17, zeros(9000))],
};

export const refused6: Readonly<Record<string, readonly [string, string, Uint8Array]>> = {
  "short-0": ["in_drop_short", "nothing", nothing],
  "short-39": ["in_drop_short", "one byte less than a header", good.subarray(0, 39)],
  "ipv4": ["in_drop_not_ipv6", "an IPv4 packet", udp(filler(40))],
  "version-0": ["in_drop_not_ipv6", "zeros", zeros(60)],
  "length-less": [
    "in_drop_length",
    "a payload length of one byte less than there are",
    withWord(good, 4, 47),
  ],
  "length-more": [
    "in_drop_length",
    "a payload length of one byte more than there are",
    withWord(good, 4, 49),
  ],
  "jumbogram": [
    "in_drop_length",
    "a payload length of 0, as a jumbogram has it (RFC 2675)",
    withWord(good, 4, 0),
  ],
  "two": ["in_drop_length", "two packets in one datagram", new Uint8Array([...good, ...good])],
  "hop-limit-0": ["in_drop_ttl", "a hop limit of 0", ipv6(17, filler(40), { hopLimit: 0 })],
  "hop-limit-1": ["in_drop_ttl", "a hop limit of 1, which ends here", ipv6(17, filler(40), { hopLimit: 1 })],
  "source-ours": [
    "in_drop_source",
    "a source in the receiver's own subnet",
    from(...translatedAddress([10, 244, 1, 9])),
  ],
  "source-unleased": [
    "in_drop_source",
    "a source in a subnet that nobody has",
    from(...translatedAddress([10, 244, 77, 9])),
  ],
  "source-unspecified": ["in_drop_source", "the source ::", from(...zeros(16))],
  "source-link-local": ["in_drop_source", "a source that is link-local", from(0xfe, 0x80, ...zeros(13), 1)],
  "source-multicast": ["in_drop_source", "a source of multicast", from(0xff, 2, ...zeros(13), 1)],
  "source-mapped": [
    "in_drop_source",
    "the sender's IPv4 address as one of IPv6",
    from(...zeros(10), 255, 255, 10, 244, 2, 7),
  ],
  "destination-theirs": [
    "in_drop_destination",
    "a destination in the sender's own subnet",
    to(...translatedAddress([10, 244, 2, 9])),
  ],
  "destination-outside": [
    "in_drop_destination",
    "a destination outside the network",
    to(0x20, 1, ...zeros(13), 1),
  ],
  "destination-loopback": ["in_drop_destination", "the destination ::1", to(...zeros(15), 1)],
  "multicast": ["in_drop_destination", "multicast", to(0xff, 2, ...zeros(13), 0xfb)],
};
