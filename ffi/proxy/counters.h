/*
 * What is counted. Packets are inner ones, as they are on the wire: a super-packet that is sent counts as its segments.
 * What is dropped before it is split counts once.
 */
#ifndef FLAN_COUNTERS_H
#define FLAN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * `out` is from the TUN to other hosts, `in` the way back. After the traffic come the drops by reason. The names are
 * what flan_proxy_counter_name returns.
 */
#define FLAN_COUNTERS(X) \
    X(out_packets)       \
    X(out_bytes)         \
    X(out_reads)         /* frames read from the TUN */ \
    X(out_messages)      /* messages given to the socket */ \
    X(in_packets)        \
    X(in_bytes)          \
    X(in_messages)       /* messages received */ \
    X(in_writes)         /* frames written to the TUN */ \
    X(icmp_sent)         \
    X(icmp_limited)      /* not sent, because too many were */ \
    X(out_drop_malformed)   /* no packet that can be sent: lengths, offload header */ \
    X(out_drop_not_ipv4)    /* where IPv4 is carried */ \
    X(out_drop_ttl)         \
    X(out_drop_no_route)    \
    X(out_drop_multicast)   \
    X(out_drop_too_big)     /* for the way to the remote host, and must not be fragmented */ \
    X(out_drop_unreachable) /* the kernel has no way to the remote host */ \
    X(out_drop_refused)     /* the socket refused: firewall, no buffer */ \
    X(in_drop_short)        /* less than an IP header */ \
    X(in_drop_not_ipv4)     /* where IPv4 is carried */ \
    X(in_drop_header_length) \
    X(in_drop_length)       /* total or payload length is not the datagram's */ \
    X(in_drop_checksum)     /* of the IPv4 header */ \
    X(in_drop_ttl)          \
    X(in_drop_source)       /* the sender, with its port, does not own the inner source */ \
    X(in_drop_destination)  /* not in this host's subnet */ \
    X(in_drop_tun)          /* the TUN device did not take it: it is down */ \
    X(out_drop_not_ipv6)    /* where IPv6 is carried */ \
    X(in_drop_not_ipv6)

enum flan_counter {
#define FLAN_COUNTER_NAME(name) COUNT_##name,
    FLAN_COUNTERS(FLAN_COUNTER_NAME)
#undef FLAN_COUNTER_NAME
    COUNTERS,
};

/* One writer, any number of readers. */
struct counters {
    _Atomic uint64_t values[COUNTERS];
};

static inline void count(struct counters *counters, enum flan_counter which, uint64_t more)
{
    uint64_t before = atomic_load_explicit(&counters->values[which], memory_order_relaxed);
    atomic_store_explicit(&counters->values[which], before + more, memory_order_relaxed);
}

#endif
