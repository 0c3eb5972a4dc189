/* The ICMP errors of a router (RFC 792, RFC 1812 section 4.3; RFC 4443). Pure, but for the limiter's clock. */
#ifndef FLAN_ICMP_H
#define FLAN_ICMP_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>

/* As much of the packet as fits: into 576 bytes (RFC 1812, 4.3.2.3), or into IPv6's least MTU (RFC 4443, 3.1 (c)). */
#define ICMP_MOST_IPV4 576
#define ICMP_MOST IPV6_MIN_MTU

enum icmp_reason {
    ICMP_NET_UNREACHABLE,  /* IPv6: no route to destination */
    ICMP_HOST_UNREACHABLE, /* IPv6: address unreachable */
    ICMP_TOO_BIG,          /* IPv4: fragmentation needed */
    ICMP_TIME_EXCEEDED,
};

struct icmp_error {
    enum icmp_reason reason;
    uint32_t mtu;          /* only for ICMP_TOO_BIG */
    struct address source; /* ours */
};

/*
 * Writes the error about a packet whose header is well-formed to `out` (ICMP_MOST bytes), in the packet's own family, and
 * returns its length, or 0 where none may be sent (RFC 1812, 4.3.2.7; RFC 4443, 2.4 (e)): about ICMP errors, later
 * fragments of IPv4, multicast and broadcast, or to what is no host's address.
 */
uint32_t icmp_write(uint8_t *out, struct icmp_error error, const uint8_t *packet, uint32_t length);

/*
 * At most ICMP_RATE errors a second, and ICMP_BURST at once: Linux's own numbers (icmp_msgs_per_sec, icmp_msgs_burst).
 * Each thread has a limiter, and another one for ICMP_TOO_BIG, which Linux does not limit at all.
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
