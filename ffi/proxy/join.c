#include "join.h"

#include "address.h"
#include "checksum.h"
#include "since.h"

#include <netinet/in.h>

enum { TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_ECE = 0x40 };

/* What of a packet decides whether it can be joined. */
struct candidate {
    uint8_t *packet;
    uint32_t length;
    uint32_t transport;
    uint8_t protocol;
    uint32_t headers; /* 0 where it stands alone */
    bool has_ports;
    bool is_last; /* nothing may follow it in a frame */
};

void join_reset(struct joiner *joiner)
{
    joiner->count = 0;
    memset(joiner->slots, 0, sizeof joiner->slots);
}

static void judge_tcp(struct candidate *candidate)
{
    const uint8_t *tcp = candidate->packet + candidate->transport;
    if (candidate->length < candidate->transport + TCP_HEADER)
        return;
    uint32_t size = (tcp[12] >> 4) * 4u;
    uint8_t flags = tcp[13];
    if (size < TCP_HEADER || candidate->transport + size >= candidate->length)
        return;
    if (!(flags & TCP_ACK) || flags & ~(TCP_ACK | TCP_PSH | TCP_ECE) || tcp[12] & 15)
        return;
    candidate->headers = candidate->transport + size;
    candidate->is_last = (flags & TCP_PSH) != 0;
}

static void judge_udp(struct candidate *candidate)
{
    const uint8_t *udp = candidate->packet + candidate->transport;
    if (candidate->length <= candidate->transport + UDP_HEADER)
        return;
    if (read16(udp + 4) != candidate->length - candidate->transport || read16(udp + 6) == 0)
        return;
    candidate->headers = candidate->transport + UDP_HEADER;
}

static struct candidate judge(const struct joiner *joiner, uint8_t *packet, uint32_t length)
{
    bool ipv6 = is_ipv6(packet);
    uint8_t protocol = packet[ipv6 ? 6 : 9];
    /* Only headers without options or extensions are joined, so that the transport header is always there. */
    uint32_t transport = ipv6 ? IPV6_HEADER : IP_HEADER;
    struct candidate candidate = {.packet = packet, .length = length, .transport = transport, .protocol = protocol};
    if (header_length(packet) != transport || (!ipv6 && is_fragment(packet)) || length < transport + UDP_HEADER)
        return candidate;
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
        return candidate;
    candidate.has_ports = true;
    /* Without DF its identification has a meaning, which a super-packet cannot keep. */
    if (!ipv6 && !(read16(packet + 6) & FRAGMENT_DF))
        return candidate;
    if (protocol == IPPROTO_TCP && joiner->tcp)
        judge_tcp(&candidate);
    else if (protocol == IPPROTO_UDP && joiner->udp)
        judge_udp(&candidate);
    return candidate;
}

/* Addresses and ports. */
static uint8_t *slot_of(struct joiner *joiner, const uint8_t *packet, uint32_t transport)
{
    uint32_t hash = 0, word;
    for (uint32_t at = addresses_at(packet); at <= transport; at += 4) {
        memcpy(&word, packet + at, 4);
        hash ^= word;
    }
    return &joiner->slots[hash * 2654435761u >> 26]; /* Knuth's multiplicative hash, for 64 slots */
}

/* All packets of a joiner are of one family; the ports follow the addresses. */
static bool is_same_flow(const struct frame *frame, const struct candidate *next)
{
    const uint8_t *first = frame->pieces[1].iov_base, *packet = next->packet;
    uint32_t begin = addresses_at(packet), protocol_at = is_ipv6(packet) ? 6 : 9;
    return memcmp(first + begin, packet + begin, next->transport + 4 - begin) == 0 &&
           first[protocol_at] == next->protocol;
}

static bool is_intact(const uint8_t *packet, uint32_t length, const struct candidate *alike)
{
    uint32_t size = length - alike->transport;
    uint64_t sum = checksum_pseudo(packet, alike->protocol, size);
    return checksum_fold(checksum_add(sum, packet + alike->transport, size)) == 0;
}

/* Traffic class and flow label, or ToS and the fragment word; and the TTL or hop limit. */
static bool is_same_service(const uint8_t *a, const uint8_t *b)
{
    if (is_ipv6(a))
        return memcmp(a, b, 4) == 0 && a[7] == b[7];
    return a[1] == b[1] && read16(a + 6) == read16(b + 6) && a[8] == b[8];
}

/* Whether the two TCP headers differ in nothing but what a super-packet can express. */
static bool continues_tcp(const struct frame *frame, const uint8_t *first, const struct candidate *next)
{
    const uint8_t *a = first + frame->transport;
    const uint8_t *b = next->packet + frame->transport;
    return read32(b + 4) == frame->next && read32(a + 8) == read32(b + 8) && ((a[13] ^ b[13]) & ~TCP_PSH) == 0 &&
           memcmp(a + TCP_HEADER, b + TCP_HEADER, frame->headers - frame->transport - TCP_HEADER) == 0;
}

static bool continues(struct frame *frame, const struct candidate *next)
{
    const uint8_t *first = frame->pieces[1].iov_base;
    uint32_t payload = next->length - next->headers;
    if (!frame->open || next->headers != frame->headers || payload > frame->most ||
        !is_same_service(first, next->packet))
        return false;
    if (frame->count == JOIN_MOST || frame->length + payload > MAX_PACKET)
        return false;
    if (next->protocol == IPPROTO_TCP && !continues_tcp(frame, first, next))
        return false;
    /* A damaged segment would get a right checksum by being joined. */
    if (!frame->verified)
        frame->verified = is_intact(first, (uint32_t)frame->pieces[1].iov_len, next);
    return frame->verified && is_intact(next->packet, next->length, next);
}

static void append(struct frame *frame, const struct candidate *next)
{
    uint8_t *first = frame->pieces[1].iov_base;
    uint32_t payload = next->length - next->headers;
    frame->pieces[1 + frame->count] = (struct iovec){next->packet + next->headers, payload};
    frame->count++;
    frame->length += payload;
    frame->next += payload;
    frame->open = payload == frame->most && !next->is_last;
    if (next->protocol == IPPROTO_TCP) {
        first[frame->transport + 13] |= next->packet[frame->transport + 13] & TCP_PSH;
        memcpy(first + frame->transport + 14, next->packet + frame->transport + 14, 2); /* the newest window counts */
    }
}

static void begin(struct frame *frame, const struct candidate *first)
{
    frame->offload = (struct virtio_net_hdr){0};
    frame->count = 1;
    frame->length = first->length;
    frame->transport = first->transport;
    frame->headers = first->headers;
    frame->most = first->length - first->headers;
    frame->open = first->headers != 0 && !first->is_last;
    frame->verified = false;
    if (frame->open && first->protocol == IPPROTO_TCP)
        frame->next = read32(first->packet + first->transport + 4) + frame->most;
    frame->pieces[0] = (struct iovec){&frame->offload, sizeof frame->offload};
    frame->pieces[1] = (struct iovec){first->packet, first->length};
}

bool join_add(struct joiner *joiner, uint8_t *packet, uint32_t length)
{
    struct candidate candidate = judge(joiner, packet, length);
    uint8_t *slot = candidate.has_ports ? slot_of(joiner, packet, candidate.transport) : NULL;
    if (slot != NULL && *slot != 0 && candidate.headers != 0) {
        struct frame *frame = &joiner->frames[*slot - 1];
        if (is_same_flow(frame, &candidate) && continues(frame, &candidate)) {
            append(frame, &candidate);
            return true;
        }
    }
    if (joiner->count == JOIN_FRAMES)
        return false;
    begin(&joiner->frames[joiner->count++], &candidate);
    if (slot != NULL)
        *slot = (uint8_t)joiner->count;
    else
        memset(joiner->slots, 0, sizeof joiner->slots); /* it may be of any flow: none may overtake it */
    return true;
}

/* Whether a packet of a frame that can be joined is TCP; it is UDP otherwise. */
static bool is_tcp(const uint8_t *packet)
{
    return packet[is_ipv6(packet) ? 6 : 9] == IPPROTO_TCP;
}

/* Linux reads a super-packet's checksum field as the sum of its pseudo header, not complemented (virtio 5.1.6.2). */
static void finish(struct frame *frame)
{
    uint8_t *packet = frame->pieces[1].iov_base;
    uint8_t *transport = packet + frame->transport;
    bool tcp = is_tcp(packet);
    uint16_t offset = tcp ? 16 : 6;
    uint32_t size = frame->length - frame->transport;
    packet_set_length(packet, frame->length);
    if (!tcp)
        write16(transport + 4, size);
    uint16_t sum = (uint16_t)~checksum_fold(checksum_pseudo(packet, tcp ? IPPROTO_TCP : IPPROTO_UDP, size));
    memcpy(transport + offset, &sum, 2);
    frame->offload = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = !tcp              ? VIRTIO_NET_HDR_GSO_UDP_L4
                    : is_ipv6(packet) ? VIRTIO_NET_HDR_GSO_TCPV6
                                      : VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = (uint16_t)frame->headers,
        .gso_size = (uint16_t)frame->most,
        .csum_start = (uint16_t)frame->transport,
        .csum_offset = offset,
    };
}

void join_finish(struct joiner *joiner)
{
    for (uint32_t i = 0; i < joiner->count; i++) {
        if (joiner->frames[i].count > 1)
            finish(&joiner->frames[i]);
    }
}

void join_undo(struct frame *frame)
{
    uint8_t *packet = frame->pieces[1].iov_base;
    uint8_t *transport = packet + frame->transport;
    uint32_t length = frame->headers + frame->most;
    uint32_t size = length - frame->transport;
    uint16_t none = 0;
    uint32_t offset = frame->offload.csum_offset;
    bool tcp = is_tcp(packet);
    packet_set_length(packet, length);
    if (!tcp)
        write16(transport + 4, size);
    memcpy(transport + offset, &none, 2);
    uint64_t sum = checksum_pseudo(packet, tcp ? IPPROTO_TCP : IPPROTO_UDP, size);
    uint16_t whole = checksum_fold(checksum_add(sum, transport, size));
    if (whole == 0 && !tcp)
        whole = 0xffff;
    memcpy(transport + offset, &whole, 2);
    frame->offload = (struct virtio_net_hdr){0};
}

uint8_t *frame_packet(const struct frame *frame, uint32_t index, uint32_t *length)
{
    const struct iovec *piece = &frame->pieces[1 + index];
    if (index == 0) {
        *length = frame->count == 1 ? frame->length : frame->headers + frame->most;
        return piece->iov_base;
    }
    *length = frame->headers + (uint32_t)piece->iov_len;
    return (uint8_t *)piece->iov_base - frame->headers;
}
