#include "join.h"

#include "checksum.h"
#include "packet.h"
#include "since.h"

#include <netinet/in.h>

enum { TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_ECE = 0x40 };

/* Only headers without IPv4 options are joined, so that the transport header is always here. */
#define TRANSPORT IP_HEADER

/* What of a packet decides whether it can be joined. */
struct candidate {
    uint8_t *packet;
    uint32_t length;
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
    const uint8_t *tcp = candidate->packet + TRANSPORT;
    if (candidate->length < TRANSPORT + TCP_HEADER)
        return;
    uint32_t size = (tcp[12] >> 4) * 4u;
    uint8_t flags = tcp[13];
    if (size < TCP_HEADER || TRANSPORT + size >= candidate->length)
        return;
    if (!(flags & TCP_ACK) || flags & ~(TCP_ACK | TCP_PSH | TCP_ECE) || tcp[12] & 15)
        return;
    candidate->headers = TRANSPORT + size;
    candidate->is_last = (flags & TCP_PSH) != 0;
}

static void judge_udp(struct candidate *candidate)
{
    const uint8_t *udp = candidate->packet + TRANSPORT;
    if (candidate->length <= TRANSPORT + UDP_HEADER)
        return;
    if (read16(udp + 4) != candidate->length - TRANSPORT || read16(udp + 6) == 0)
        return;
    candidate->headers = TRANSPORT + UDP_HEADER;
}

static struct candidate judge(const struct joiner *joiner, uint8_t *packet, uint32_t length)
{
    struct candidate candidate = {.packet = packet, .length = length};
    uint8_t protocol = packet[9];
    if (header_length(packet) != IP_HEADER || is_fragment(packet) || length < TRANSPORT + UDP_HEADER)
        return candidate;
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
        return candidate;
    candidate.has_ports = true;
    /* Without DF its identification has a meaning, which a super-packet cannot keep. */
    if (!(read16(packet + 6) & FRAGMENT_DF))
        return candidate;
    if (protocol == IPPROTO_TCP && joiner->tcp)
        judge_tcp(&candidate);
    else if (protocol == IPPROTO_UDP && joiner->udp)
        judge_udp(&candidate);
    return candidate;
}

/* Addresses and ports. */
static uint8_t *slot_of(struct joiner *joiner, const uint8_t *packet)
{
    uint32_t hash = source_of(packet) ^ destination_of(packet) ^ read_address(packet + TRANSPORT);
    return &joiner->slots[hash * 2654435761u >> 26]; /* Knuth's multiplicative hash, for 64 slots */
}

static bool is_same_flow(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a + 12, b + 12, 12) == 0 && a[9] == b[9];
}

static bool is_intact(const uint8_t *packet, uint32_t length)
{
    uint64_t sum = checksum_pseudo(packet, length - TRANSPORT);
    return checksum_fold(checksum_add(sum, packet + TRANSPORT, length - TRANSPORT)) == 0;
}

/* Whether the two TCP headers differ in nothing but what a super-packet can express. */
static bool continues_tcp(const struct frame *frame, const uint8_t *first, const struct candidate *next)
{
    const uint8_t *a = first + TRANSPORT;
    const uint8_t *b = next->packet + TRANSPORT;
    return read32(b + 4) == frame->next && read32(a + 8) == read32(b + 8) && ((a[13] ^ b[13]) & ~TCP_PSH) == 0 &&
           memcmp(a + TCP_HEADER, b + TCP_HEADER, frame->headers - TRANSPORT - TCP_HEADER) == 0;
}

static bool continues(struct frame *frame, const struct candidate *next)
{
    const uint8_t *first = frame->pieces[1].iov_base;
    const uint8_t *packet = next->packet;
    uint32_t payload = next->length - next->headers;
    /* ToS, the fragment word and the TTL must be the same. */
    if (!frame->open || next->headers != frame->headers || payload > frame->most || first[1] != packet[1] ||
        read16(first + 6) != read16(packet + 6) || first[8] != packet[8])
        return false;
    if (frame->count == JOIN_MOST || frame->length + payload > MAX_PACKET)
        return false;
    if (packet[9] == IPPROTO_TCP && !continues_tcp(frame, first, next))
        return false;
    /* A damaged segment would get a right checksum by being joined. */
    if (!frame->verified)
        frame->verified = is_intact(first, (uint32_t)frame->pieces[1].iov_len);
    return frame->verified && is_intact(packet, next->length);
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
    if (first[9] == IPPROTO_TCP) {
        first[TRANSPORT + 13] |= next->packet[TRANSPORT + 13] & TCP_PSH;
        memcpy(first + TRANSPORT + 14, next->packet + TRANSPORT + 14, 2); /* the newest window counts */
    }
}

static void begin(struct frame *frame, const struct candidate *first)
{
    frame->offload = (struct virtio_net_hdr){0};
    frame->count = 1;
    frame->length = first->length;
    frame->headers = first->headers;
    frame->most = first->length - first->headers;
    frame->open = first->headers != 0 && !first->is_last;
    frame->verified = false;
    if (frame->open && first->packet[9] == IPPROTO_TCP)
        frame->next = read32(first->packet + TRANSPORT + 4) + frame->most;
    frame->pieces[0] = (struct iovec){&frame->offload, sizeof frame->offload};
    frame->pieces[1] = (struct iovec){first->packet, first->length};
}

bool join_add(struct joiner *joiner, uint8_t *packet, uint32_t length)
{
    struct candidate candidate = judge(joiner, packet, length);
    uint8_t *slot = candidate.has_ports ? slot_of(joiner, packet) : NULL;
    if (slot != NULL && *slot != 0 && candidate.headers != 0) {
        struct frame *frame = &joiner->frames[*slot - 1];
        if (is_same_flow(frame->pieces[1].iov_base, packet) && continues(frame, &candidate)) {
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

/* Linux reads a super-packet's checksum field as the sum of its pseudo header, not complemented (virtio 5.1.6.2). */
static void finish(struct frame *frame)
{
    uint8_t *packet = frame->pieces[1].iov_base;
    uint8_t *transport = packet + TRANSPORT;
    bool tcp = packet[9] == IPPROTO_TCP;
    uint16_t offset = tcp ? 16 : 6;
    write16(packet + 2, frame->length);
    packet_set_checksum(packet);
    if (!tcp)
        write16(transport + 4, frame->length - TRANSPORT);
    uint16_t sum = (uint16_t)~checksum_fold(checksum_pseudo(packet, frame->length - TRANSPORT));
    memcpy(transport + offset, &sum, 2);
    frame->offload = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4,
        .hdr_len = (uint16_t)frame->headers,
        .gso_size = (uint16_t)frame->most,
        .csum_start = TRANSPORT,
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
    uint8_t *transport = packet + TRANSPORT;
    uint32_t length = frame->headers + frame->most;
    uint16_t none = 0;
    uint32_t offset = frame->offload.csum_offset;
    write16(packet + 2, length);
    packet_set_checksum(packet);
    if (packet[9] == IPPROTO_UDP)
        write16(transport + 4, length - TRANSPORT);
    memcpy(transport + offset, &none, 2);
    uint64_t sum = checksum_pseudo(packet, length - TRANSPORT);
    uint16_t whole = checksum_fold(checksum_add(sum, transport, length - TRANSPORT));
    if (whole == 0 && packet[9] == IPPROTO_UDP)
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
