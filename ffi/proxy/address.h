/* Addresses of either family, in a form that is compared, masked and hashed without asking which. */
#ifndef FLAN_ADDRESS_H
#define FLAN_ADDRESS_H

#include "packet.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* The bytes on the wire; behind an IPv4 address come zeros. */
struct address {
    uint64_t words[2];
};

static inline struct address address_read(const void *at, size_t length)
{
    struct address address = {{0, 0}};
    memcpy(&address, at, length);
    return address;
}

static inline struct address address_ipv4(uint32_t network_order)
{
    return address_read(&network_order, sizeof network_order);
}

static inline bool address_equal(struct address a, struct address b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

static inline struct address address_masked(struct address address, struct address mask)
{
    return (struct address){{address.words[0] & mask.words[0], address.words[1] & mask.words[1]}};
}

/* As many leading bits as a prefix has, at most 128. */
static inline struct address address_mask(uint32_t length)
{
    uint8_t bytes[sizeof(struct address)];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        uint32_t bits = length <= 8 * i ? 0 : length - 8 * i;
        bytes[i] = (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);
    }
    return address_read(bytes, sizeof bytes);
}

static inline struct address source_of(const uint8_t *packet)
{
    return is_ipv6(packet) ? address_read(packet + 8, 16) : address_read(packet + 12, 4);
}

static inline struct address destination_of(const uint8_t *packet)
{
    return is_ipv6(packet) ? address_read(packet + 24, 16) : address_read(packet + 16, 4);
}

/* Whether a destination is no single host's: IPv4's 224.0.0.0/4 and above, IPv6's ff00::/8. */
static inline bool is_multicast(const uint8_t *packet)
{
    return is_ipv6(packet) ? packet[24] == 0xff : packet[16] >= 224;
}

/* A socket's address. */
union endpoint {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* `port` in network byte order. */
static inline union endpoint endpoint_of(uint32_t family, struct address address, uint16_t port)
{
    union endpoint endpoint;
    memset(&endpoint, 0, sizeof endpoint);
    if (family == 6) {
        endpoint.ipv6.sin6_family = AF_INET6;
        endpoint.ipv6.sin6_port = port;
        memcpy(&endpoint.ipv6.sin6_addr, &address, 16);
    } else {
        endpoint.ipv4.sin_family = AF_INET;
        endpoint.ipv4.sin_port = port;
        memcpy(&endpoint.ipv4.sin_addr, &address, 4);
    }
    return endpoint;
}

static inline socklen_t endpoint_size(const union endpoint *endpoint)
{
    return endpoint->any.sa_family == AF_INET6 ? sizeof endpoint->ipv6 : sizeof endpoint->ipv4;
}

static inline struct address endpoint_address(const union endpoint *endpoint)
{
    return endpoint->any.sa_family == AF_INET6 ? address_read(&endpoint->ipv6.sin6_addr, 16)
                                               : address_read(&endpoint->ipv4.sin_addr, 4);
}

/* In network byte order. */
static inline uint16_t endpoint_port(const union endpoint *endpoint)
{
    return endpoint->any.sa_family == AF_INET6 ? endpoint->ipv6.sin6_port : endpoint->ipv4.sin_port;
}

#endif
