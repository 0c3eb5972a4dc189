/*
 * Entry points for tests in another language, over what the headers of ../ have inline or as structs: bytes in, bytes
 * out. Lists of packets are records: a length of 4 bytes in the host's order, then as many bytes.
 */
#include "fragment.h"
#include "icmp.h"
#include "join.h"
#include "packet.h"
#include "split.h"
#include "table.h"

#include <stdlib.h>

struct writer {
    uint8_t *out;
    size_t room, used;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t length)
{
    if (length > writer->room - writer->used)
        abort(); /* the test gave too little room */
    if (length > 0)
        memcpy(writer->out + writer->used, bytes, length);
    writer->used += length;
}

static void put_number(struct writer *writer, uint32_t number)
{
    put_bytes(writer, &number, sizeof number);
}

/* The packets that a packet of the TUN becomes. Returns the bytes written, or -1 where it is refused. */
int64_t shim_split(const uint8_t *offload, uint8_t *packet, uint32_t length, uint8_t *out, size_t room)
{
    struct writer writer = {.out = out, .room = room};
    struct virtio_net_hdr header;
    struct split split;
    memcpy(&header, offload, sizeof header);
    if (!split_begin(&split, &header, packet, length))
        return -1;
    for (uint32_t i = 0; i < split.count && split.headers != 0; i++) {
        uint8_t headers[MAX_HEADERS];
        const uint8_t *payload;
        uint32_t size = split_segment(&split, i, headers, &payload);
        put_number(&writer, split.headers + size);
        put_bytes(&writer, headers, split.headers);
        put_bytes(&writer, payload, size);
    }
    if (split.headers == 0) {
        put_number(&writer, split.length);
        put_bytes(&writer, packet, split.length);
    }
    return (int64_t)writer.used;
}

/* What is written of each frame: its number of packets, its offload header, and its bytes as a record. */
static void put_frames(struct writer *writer, const struct joiner *joiner)
{
    for (uint32_t i = 0; i < joiner->count; i++) {
        const struct frame *frame = &joiner->frames[i];
        put_number(writer, frame->count);
        put_bytes(writer, frame->pieces[0].iov_base, frame->pieces[0].iov_len);
        put_number(writer, frame->length);
        for (uint32_t piece = 1; piece < frame_pieces(frame); piece++)
            put_bytes(writer, frame->pieces[piece].iov_base, frame->pieces[piece].iov_len);
    }
}

/* The same frames, taken apart again: records of packets. */
static void put_undone(struct writer *writer, struct joiner *joiner)
{
    for (uint32_t i = 0; i < joiner->count; i++) {
        struct frame *frame = &joiner->frames[i];
        if (frame->count > 1)
            join_undo(frame);
        for (uint32_t index = 0; index < frame->count; index++) {
            uint32_t length;
            const uint8_t *packet = frame_packet(frame, index, &length);
            put_number(writer, length);
            put_bytes(writer, packet, length);
        }
    }
}

enum { SHIM_TCP = 1, SHIM_UDP = 2, SHIM_UNDO = 4 };

/* Joins records of packets, which it may change, and writes the frames, or what undoing them gives. */
size_t shim_join(uint32_t what, uint8_t *records, size_t length, uint8_t *out, size_t room)
{
    struct writer writer = {.out = out, .room = room};
    struct joiner *joiner = calloc(1, sizeof *joiner);
    if (joiner == NULL)
        abort();
    joiner->tcp = (what & SHIM_TCP) != 0;
    joiner->udp = (what & SHIM_UDP) != 0;
    join_reset(joiner);
    for (size_t at = 0; at <= length;) {
        uint32_t size = 0;
        if (at < length)
            memcpy(&size, records + at, sizeof size);
        if (at == length || !join_add(joiner, records + at + sizeof size, size)) {
            join_finish(joiner);
            if (what & SHIM_UNDO)
                put_undone(&writer, joiner);
            else
                put_frames(&writer, joiner);
            join_reset(joiner);
            if (at == length)
                break;
            continue;
        }
        at += sizeof size + size;
    }
    free(joiner);
    return writer.used;
}

/* `source` has FLAN_ADDRESS bytes. */
uint32_t shim_icmp(uint8_t *out, uint32_t reason, uint32_t mtu, const uint8_t *source, const uint8_t *packet,
                   uint32_t length)
{
    return icmp_write(out, (struct icmp_error){reason, mtu, address_read(source, FLAN_ADDRESS)}, packet, length);
}

/* `routes` of FLAN_ADDRESS bytes each address, `settings` may be NULL. */
int shim_table(struct table **table, uint32_t family, const struct flan_settings *settings,
               const struct flan_route *routes, uint32_t count)
{
    return table_make(table, family, (struct contents){settings, routes, count});
}

/* Looks up `count` addresses of FLAN_ADDRESS bytes: remotes likewise and ports in the host's order, 0 where there is no way. */
void shim_find(const struct table *table, const uint8_t *addresses, uint32_t count, uint8_t *remotes, uint16_t *ports)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct next_hop *hop = table_find(table, address_read(addresses + FLAN_ADDRESS * i, FLAN_ADDRESS));
        ports[i] = hop == NULL ? 0 : ntohs(hop->port);
        if (hop != NULL)
            memcpy(remotes + FLAN_ADDRESS * i, &hop->remote, FLAN_ADDRESS);
    }
}

uint8_t shim_owns(const struct table *table, const uint8_t *address)
{
    return table_owns(table, address_read(address, FLAN_ADDRESS));
}

/* Copies up to `count` routes and returns how many there are. */
uint32_t shim_routes(const struct table *table, struct flan_route *routes, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < table->route_count; i++)
        routes[i] = table->routes[i];
    return table->route_count;
}
