/* The ICMP errors of a router (RFC 792, RFC 1812 section 4.3). Pure, but for the limiter's clock. */
#ifndef FLAN_ICMP_H
#define FLAN_ICMP_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 1812, 4.3.2.3: as much of the packet as fits. */
#define ICMP_MOST 576

struct icmp_error {
    uint8_t type, code;
    uint16_t mtu;    /* only for "fragmentation needed" */
    uint32_t source; /* ours, in network byte order */
};

#define ICMP_NET_UNREACHABLE(from) ((struct icmp_error){.type = 3, .code = 0, .source = (from)})
#define ICMP_HOST_UNREACHABLE(from) ((struct icmp_error){.type = 3, .code = 1, .source = (from)})
#define ICMP_FRAGMENTATION_NEEDED(from, size) \
    ((struct icmp_error){.type = 3, .code = 4, .mtu = (size), .source = (from)})
#define ICMP_TIME_EXCEEDED(from) ((struct icmp_error){.type = 11, .code = 0, .source = (from)})

/*
 * Writes the error about a packet whose header is well-formed to `out` (ICMP_MOST bytes) and returns its length, or 0
 * where none may be sent (RFC 1812, 4.3.2.7): about ICMP errors, later fragments, multicast and broadcast, or to what
 * is no host's address.
 */
uint32_t icmp_write(uint8_t *out, struct icmp_error error, const uint8_t *packet, uint32_t length);

/*
 * At most ICMP_RATE errors a second, and ICMP_BURST at once: Linux's own numbers (icmp_msgs_per_sec, icmp_msgs_burst).
 * Each thread has a limiter, and another one for "fragmentation needed", which Linux does not limit at all.
 */
#define ICMP_RATE 1000
#define ICMP_BURST 50

struct icmp_limiter {
    uint64_t credit; /* nanoseconds */
    uint64_t last;
};

/* Whether another one may be sent at `now`, nanoseconds of a clock that never goes back. */
bool icmp_allowed(struct icmp_limiter *limiter, uint64_t now);

#endif
