/* Super-packets as the kernel hands them over, split into the packets that go on the wire. Pure. */
#ifndef FLAN_SPLIT_H
#define FLAN_SPLIT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IPv4 and TCP with all options; IPv6 and TCP leave 92 bytes for extension headers. Whole cache lines. */
#define MAX_HEADERS 192

struct split {
    uint32_t count;   /* packets it stands for, at least 1 */
    uint32_t headers; /* bytes that every segment begins with, or 0 where the packet goes as it is */
    uint32_t most;    /* payload bytes of every segment but the last */
    uint32_t length;  /* of the whole packet */
    uint32_t transport_at; /* where the TCP or UDP header begins */
    uint8_t protocol;
    const uint8_t *packet;
    uint64_t constant; /* sum of what all segments' IPv4 headers have in common */
    uint64_t transport; /* and of their TCP or UDP headers with the pseudo header */
};

/*
 * Understands a packet with its offload header (linux/virtio_net.h). The packet must have passed packet_check but
 * for PACKET_CHECKSUM. A checksum that the kernel left to us is completed in place where the packet goes as it is.
 * Returns false where the two do not agree.
 */
bool split_begin(struct split *split, const struct virtio_net_hdr *offload, uint8_t *packet, uint32_t length);

/*
 * Writes the headers of segment `index`, below count, to `headers` (MAX_HEADERS bytes), and points to its payload.
 * Returns the payload's length. Not for packets that go as they are.
 */
uint32_t split_segment(const struct split *split, uint32_t index, uint8_t *headers, const uint8_t **payload);

#endif
