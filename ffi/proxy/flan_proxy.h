/*
 * The data plane of the udp backend: packets from TUN queues go to other hosts as UDP datagrams and back, one
 * bare IP packet a datagram. Of IPv4 that is what flannel's udp backend has on the wire; flannel knows no IPv6, which
 * looks the same here.
 *
 * A handle carries one family: IPv4 packets in UDP over IPv4, or IPv6 packets in UDP over IPv6.
 *
 * A handle does all of its work between flan_proxy_open and flan_proxy_close. There is no other state, nothing is
 * printed and nothing exits. Functions return 0 (or a count) or -errno. All but flan_proxy_run return at once and
 * are called from one thread at a time; flan_proxy_run blocks and is called from another one.
 */
#ifndef FLAN_PROXY_H
#define FLAN_PROXY_H

#include <stdint.h>

#define FLAN_API __attribute__((visibility("default")))

/* What makes it fast, each of which an older kernel may lack. */
enum flan_feature {
    FLAN_TUN_OFFLOAD = 1 << 0, /* the kernel hands over TCP super-packets without checksums (TUNSETOFFLOAD) */
    FLAN_TUN_USO = 1 << 1,     /* ... and UDP ones (TUN_F_USO4 and 6, Linux 6.2); needs FLAN_TUN_OFFLOAD */
    FLAN_UDP_SEGMENT = 1 << 2, /* many datagrams in one send (UDP_SEGMENT, Linux 4.18) */
    FLAN_UDP_GRO = 1 << 3,     /* many datagrams in one receive (UDP_GRO, Linux 5.0) */
    FLAN_JOIN_TCP = 1 << 4,    /* received TCP segments are joined into super-packets for the TUN */
    FLAN_JOIN_UDP = 1 << 5,    /* ... and UDP datagrams (VIRTIO_NET_HDR_GSO_UDP_L4, Linux 6.2) */
    FLAN_FEATURES = (1 << 6) - 1,
};

/* Descriptors stay the caller's, and must stay open until flan_proxy_close. All must be non-blocking (-EINVAL). */
struct flan_queue {
    int32_t tun;    /* a TUN queue with IFF_NO_PI | IFF_VNET_HDR */
    int32_t socket; /* a bound UDP socket; several queues bind theirs with SO_REUSEPORT, and each peer comes to one */
};

struct flan_options {
    int32_t raw;       /* a raw socket of the family (IPPROTO_RAW) for ICMP errors, or -1 for none */
    uint32_t features; /* of enum flan_feature: what is tried */
    uint32_t family;   /* 4 or 6 */
};

#define FLAN_MAX_QUEUES 16
#define FLAN_MAX_ROUTES (1u << 20)

/* An address as it is on the wire; 12 zero bytes stand behind one of IPv4. */
#define FLAN_ADDRESS 16

/* Ports and numbers are in the host's byte order. */
struct flan_settings {
    uint8_t address[FLAN_ADDRESS]; /* this host's address in the overlay: the source of ICMP errors */
    uint8_t subnet[FLAN_ADDRESS];  /* this host's subnet: what may come in */
    uint32_t subnet_length;        /* 0 to 32, or to 128 */
    uint32_t check_source; /* whether outer address and port must be those of the host that owns the inner source */
};

struct flan_route {
    uint8_t destination[FLAN_ADDRESS]; /* host bits 0 */
    uint8_t remote[FLAN_ADDRESS];      /* the host that owns it */
    uint16_t port;                     /* its UDP port */
    uint8_t length;                    /* 0 to 32, or to 128 */
    uint8_t unused;
};

struct flan_proxy;

/*
 * With 1 to FLAN_MAX_QUEUES queues. -EINVAL for nonsense, -ENOMEM; a feature that the kernel does not take is left out,
 * see flan_proxy_features.
 */
FLAN_API int flan_proxy_open(const struct flan_queue *queues, uint32_t queue_count, const struct flan_options *options,
                             struct flan_proxy **proxy);

/* The features in use. What one device or way does not take for all that is sent singly, each time. */
FLAN_API uint32_t flan_proxy_features(const struct flan_proxy *proxy);

/* These four take effect for whole batches of packets, without stopping any. -EINVAL, -E2BIG, -ENOMEM: no change. */
FLAN_API int flan_proxy_configure(struct flan_proxy *proxy, const struct flan_settings *settings);
FLAN_API int flan_proxy_replace_routes(struct flan_proxy *proxy, const struct flan_route *routes, uint32_t count);
/* Of a removed route only destination and length count; one that is not there is no error. Removes, then puts. */
FLAN_API int flan_proxy_change_routes(struct flan_proxy *proxy, const struct flan_route *put, uint32_t put_count,
                                      const struct flan_route *removed, uint32_t removed_count);

/*
 * Carries packets, with one thread a direction for each queue, until flan_proxy_stop (0), or until a descriptor fails
 * for good (-errno; -EBADFD: the TUN device was deleted). Until it is configured, nothing comes in; until it has routes,
 * nothing goes out.
 */
FLAN_API int flan_proxy_run(struct flan_proxy *proxy);

/* Ends flan_proxy_run within 200 ms, whatever comes in; it cannot be run again. From any thread. */
FLAN_API void flan_proxy_stop(struct flan_proxy *proxy);

/* Fills `values` with up to `count` counters and returns how many there are. While it runs, from any thread. */
FLAN_API uint32_t flan_proxy_counters(const struct flan_proxy *proxy, uint64_t *values, uint32_t count);

/* The name of a counter (see counters.h), or NULL. */
FLAN_API const char *flan_proxy_counter_name(uint32_t index);

/* Must not run (any more). */
FLAN_API void flan_proxy_close(struct flan_proxy *proxy);

#endif
