/* IPv4 and IPv6 packets as bytes: pure functions, no memory but the caller's (RFC 791, RFC 8200). */
#ifndef FLAN_PACKET_H
#define FLAN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IP_HEADER 20      /* of IPv4, without options */
#define IP_MAX_HEADER 60  /* with as many as there can be */
#define IPV6_HEADER 40    /* without extension headers */
#define IPV6_MIN_MTU 1280 /* what every way must carry (RFC 8200, section 5) */
#define TCP_HEADER 20
#define UDP_HEADER 8
#define MAX_PACKET 65535
#define MAX_DATAGRAM 65507 /* what fits into an IPv4 packet beside its header and UDP's */

enum packet_fault {
    PACKET_OK,
    PACKET_SHORT,
    PACKET_VERSION,
    PACKET_HEADER_LENGTH,
    PACKET_TOTAL_LENGTH,
    PACKET_CHECKSUM,
    PACKET_TTL, /* well-formed, and may not be forwarded: TTL or hop limit 0 or 1 */
};

/*
 * Judges `length` bytes that should be one packet of `family`, 4 or 6; of several faults the first in the order above.
 * Extension headers are not looked at: routers do not (RFC 8200, section 4).
 */
enum packet_fault packet_check(uint32_t family, const uint8_t *bytes, size_t length);

/* Takes one from the TTL or hop limit, which must not be 0, and mends an IPv4 header's checksum (RFC 1624). */
void packet_decrement_ttl(uint8_t *packet);

/* Sets the checksum of an IPv4 header. */
void packet_set_checksum(uint8_t *packet);

/* Makes the header say `length`, of the whole packet, and sets its checksum where it has one. */
void packet_set_length(uint8_t *packet, uint32_t length);

/* What is behind the header and, in IPv6, behind extension headers. */
struct upper {
    uint8_t protocol;
    bool is_fragment; /* the first one too */
    bool is_later;    /* a fragment that is not the first: the upper header is not here */
    bool is_routed;   /* by a routing header: the destination may not be the last one */
    uint32_t at;
};

/* Of a packet that has passed packet_check. False where the chain of extension headers is cut off, or without end. */
bool packet_upper(struct upper *upper, const uint8_t *packet, uint32_t length);

/* Reads and writes at any address, in network byte order. */
static inline uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void write16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint32_t read32(const uint8_t *at)
{
    return (uint32_t)read16(at) << 16 | read16(at + 2);
}

static inline void write32(uint8_t *at, uint32_t value)
{
    write16(at, value >> 16);
    write16(at + 2, value);
}

/* The length of the IPv4 header; of IPv6 without extension headers. */
static inline uint32_t header_length(const uint8_t *packet)
{
    return packet[0] >> 4 == 6 ? IPV6_HEADER : (packet[0] & 15u) * 4u;
}

static inline bool is_ipv6(const uint8_t *packet)
{
    return packet[0] >> 4 == 6;
}

static inline uint8_t ttl_of(const uint8_t *packet)
{
    return packet[is_ipv6(packet) ? 7 : 8];
}

/* Where the source address stands; the destination follows it. */
static inline uint32_t addresses_at(const uint8_t *packet)
{
    return is_ipv6(packet) ? 8 : 12;
}

#define FRAGMENT_DF 0x4000u
#define FRAGMENT_MF 0x2000u
#define FRAGMENT_OFFSET 0x1fffu

/* Whether an IPv4 packet is a fragment. */
static inline bool is_fragment(const uint8_t *packet)
{
    return (read16(packet + 6) & (FRAGMENT_MF | FRAGMENT_OFFSET)) != 0;
}

#endif
