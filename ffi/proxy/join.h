/* Received packets, joined into the super-packets that they may have been, for the TUN. Pure. */
#ifndef FLAN_JOIN_H
#define FLAN_JOIN_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* UDP_MAX_SEGMENTS of older kernels (include/linux/udp.h); a TCP super-packet of full segments has 46. */
#define JOIN_MOST 64
#define JOIN_FRAMES 64
#define JOIN_SLOTS 64

/* One write to the TUN: an offload header, the first packet, the payloads of those that continue it. */
struct frame {
    struct virtio_net_hdr offload;
    uint32_t count; /* packets in it */
    uint32_t length; /* bytes, without the offload header */
    uint32_t transport; /* where the TCP or UDP header begins */
    uint32_t headers; /* of the first packet; 0 where nothing can be joined to it */
    uint32_t most;    /* payload bytes of the first packet */
    uint32_t next;    /* TCP: the sequence number that continues it */
    bool open;        /* whether it takes more */
    bool verified;    /* whether the first packet's transport checksum is right */
    struct iovec pieces[1 + JOIN_MOST]; /* the offload header's first */
};

struct joiner {
    bool tcp, udp; /* what is joined */
    uint32_t count;
    struct frame frames[JOIN_FRAMES];
    uint8_t slots[JOIN_SLOTS]; /* the last frame of a flow, plus 1 */
};

void join_reset(struct joiner *joiner);

/*
 * Takes a packet that has passed packet_check, and that stays where it is until the frames are written. Packets of one
 * flow keep their order. Returns false where there is no room: write the frames, reset, and come again.
 */
bool join_add(struct joiner *joiner, uint8_t *packet, uint32_t length);

/* Completes the headers of all frames. frames[0..count) are then written in order, each from its pieces. */
void join_finish(struct joiner *joiner);

/*
 * Takes a finished frame of several packets apart again, for a kernel that does not take it whole; frame_packet then
 * finds them. (The first one keeps the newest window and the last one's PSH.)
 */
void join_undo(struct frame *frame);

/* Packet `index` of a frame that was undone. */
uint8_t *frame_packet(const struct frame *frame, uint32_t index, uint32_t *length);

/* How many pieces a frame has. */
static inline uint32_t frame_pieces(const struct frame *frame)
{
    return 1 + frame->count;
}

#endif
