/* Any list of packets through the joiner: what the kernel would make of the frames is what came in. */
#include "fuzz.h"

#include "join.h"
#include "packet.h"
#include "split.h"

#include <netinet/in.h>

#define MOST_PACKETS 160
enum { TCP_PSH = 0x08 };

struct received {
    uint8_t *packet; /* as the joiner has it, and may change it */
    uint8_t *before; /* as it came */
    uint32_t length;
    uint32_t place; /* in the order in which the kernel sees them */
};

struct list {
    struct received packets[MOST_PACKETS];
    uint32_t count;
    uint32_t placed;
};

static void take_list(struct list *list, struct input *input, uint32_t family)
{
    while (list->count < MOST_PACKETS && input->left > 0) {
        uint8_t mend = take_byte(input);
        uint32_t length = take_word(input);
        uint8_t *packet = take_packet(input, &length, mend);
        if (packet_check(family, packet, length) != PACKET_OK) {
            free(packet);
            continue;
        }
        struct received *received = &list->packets[list->count++];
        *received = (struct received){packet, malloc(length), length, UINT32_MAX};
        REQUIRE(received->before != NULL);
        memcpy(received->before, packet, length);
    }
}

/* The packet that begins `headers` bytes before `at`. */
static struct received *find(struct list *list, const uint8_t *at, uint32_t headers)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->packets[i].packet + headers == at)
            return &list->packets[i];
    }
    REQUIRE(!"every piece is of a packet that came in");
    return NULL;
}

/* Of a packet that can be joined: without options and extension headers. */
static uint32_t plain_header(const uint8_t *packet)
{
    return is_ipv6(packet) ? IPV6_HEADER : IP_HEADER;
}

static bool is_tcp(const uint8_t *packet)
{
    return packet[is_ipv6(packet) ? 6 : 9] == IPPROTO_TCP;
}

/*
 * Takes out what a super-packet does not carry: the identification, of the windows all but the newest, and an urgent
 * pointer without URG, which means nothing (RFC 9293, 3.1).
 */
static void strip(uint8_t *packet, uint32_t length)
{
    REQUIRE(is_intact_transport(packet, length));
    if (!is_ipv6(packet)) {
        write16(packet + 4, 0);
        write16(packet + 10, 0);
    }
    if (is_tcp(packet)) {
        write16(packet + plain_header(packet) + 14, 0);
        write32(packet + plain_header(packet) + 16, 0);
    }
}

static void require_alike(const uint8_t *a, const uint8_t *b, uint32_t length, bool push_may_differ)
{
    static uint8_t left[MAX_PACKET], right[MAX_PACKET];
    memcpy(left, a, length);
    memcpy(right, b, length);
    strip(left, length);
    strip(right, length);
    if (push_may_differ && is_tcp(left)) {
        left[plain_header(left) + 13] &= (uint8_t)~TCP_PSH;
        right[plain_header(right) + 13] &= (uint8_t)~TCP_PSH;
    }
    REQUIRE(memcmp(left, right, length) == 0);
}

/* Reads a frame as the kernel does, and compares what comes out of it with what came in. */
static void check_joined(const struct frame *frame, struct received *const *parts)
{
    static uint8_t flat[MAX_PACKET], segment[MAX_PACKET];
    struct split split;
    uint32_t length = 0;
    for (uint32_t i = 1; i < frame_pieces(frame); i++) {
        REQUIRE(length + frame->pieces[i].iov_len <= MAX_PACKET);
        memcpy(flat + length, frame->pieces[i].iov_base, frame->pieces[i].iov_len);
        length += (uint32_t)frame->pieces[i].iov_len;
    }
    REQUIRE(length == frame->length && packet_check(family_of(flat, length), flat, length) == PACKET_OK);
    observe(&frame->offload, sizeof frame->offload);
    observe(flat, length);
    REQUIRE(split_begin(&split, &frame->offload, flat, length) && split.count == frame->count);
    for (uint32_t i = 0; i < split.count; i++) {
        const uint8_t *payload;
        uint32_t size = split_segment(&split, i, segment, &payload);
        memcpy(segment + split.headers, payload, size);
        REQUIRE(split.headers + size == parts[i]->length);
        require_alike(segment, parts[i]->before, parts[i]->length, false);
    }
}

static void check_frame(struct list *list, struct frame *frame)
{
    struct received *parts[JOIN_MOST];
    REQUIRE(frame->count >= 1 && frame->count <= JOIN_MOST);
    REQUIRE(frame->pieces[0].iov_base == &frame->offload && frame->pieces[0].iov_len == sizeof frame->offload);
    for (uint32_t i = 0; i < frame->count; i++) {
        parts[i] = find(list, frame->pieces[1 + i].iov_base, i == 0 ? 0 : frame->headers);
        REQUIRE(parts[i]->place == UINT32_MAX);
        parts[i]->place = list->placed++;
    }
    if (frame->count == 1) {
        REQUIRE(frame->length == parts[0]->length && frame->pieces[1].iov_len == frame->length);
        REQUIRE(memcmp(parts[0]->packet, parts[0]->before, frame->length) == 0);
        return;
    }
    check_joined(frame, parts);
    join_undo(frame);
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t length;
        const uint8_t *packet = frame_packet(frame, i, &length);
        REQUIRE(packet == parts[i]->packet && length == parts[i]->length);
        REQUIRE(packet_check(family_of(packet, length), packet, length) == PACKET_OK);
        if (i > 0)
            REQUIRE(memcmp(packet, parts[i]->before, length) == 0);
        else
            require_alike(packet, parts[i]->before, length, true);
    }
}

static void write_out(struct list *list, struct joiner *joiner)
{
    join_finish(joiner);
    REQUIRE(joiner->count <= JOIN_FRAMES);
    for (uint32_t i = 0; i < joiner->count; i++)
        check_frame(list, &joiner->frames[i]);
    join_reset(joiner);
}

static bool has_ports(const struct received *received)
{
    const uint8_t *packet = received->before;
    struct upper upper;
    return packet_upper(&upper, packet, received->length) && upper.at == plain_header(packet) && !upper.is_fragment &&
           received->length >= upper.at + UDP_HEADER;
}

/* Packets that must keep their order: of one flow, or of what may be one. */
static bool belong_together(const struct received *a, const struct received *b)
{
    uint32_t at = addresses_at(a->before), header = plain_header(a->before);
    if (memcmp(a->before + at, b->before + at, header - at) != 0)
        return false;
    if (!has_ports(a) || !has_ports(b))
        return true;
    return is_tcp(a->before) == is_tcp(b->before) && memcmp(a->before + header, b->before + header, 4) == 0;
}

static void check_order(const struct list *list)
{
    REQUIRE(list->placed == list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        observe_number(list->packets[i].place);
        for (uint32_t j = i + 1; j < list->count; j++) {
            const struct received *a = &list->packets[i], *b = &list->packets[j];
            REQUIRE(a->place < b->place || !belong_together(a, b));
        }
    }
}

void fuzz_join(struct input *input)
{
    struct list *list = calloc(1, sizeof *list);
    struct joiner *joiner = malloc(sizeof *joiner);
    REQUIRE(list != NULL && joiner != NULL);
    uint8_t kinds = take_byte(input);
    memset(joiner, 0xa5, sizeof *joiner); /* what a reset does not set must not count */
    joiner->tcp = !(kinds & 1);
    joiner->udp = !(kinds & 2);
    join_reset(joiner);
    take_list(list, input, kinds & 4 ? 6 : 4);
    for (uint32_t i = 0; i < list->count; i++) {
        struct received *received = &list->packets[i];
        if (join_add(joiner, received->packet, received->length))
            continue;
        write_out(list, joiner);
        REQUIRE(join_add(joiner, received->packet, received->length));
    }
    write_out(list, joiner);
    check_order(list);
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->packets[i].packet);
        free(list->packets[i].before);
    }
    free(joiner);
    free(list);
}
