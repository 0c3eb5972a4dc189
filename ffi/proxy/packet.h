/* IPv4 packets as bytes: pure functions, no memory but the caller's (RFC 791). */
#ifndef FLAN_PACKET_H
#define FLAN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IP_HEADER 20      /* without options */
#define IP_MAX_HEADER 60  /* with as many as there can be */
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
    PACKET_TTL, /* well-formed, and may not be forwarded: TTL 0 or 1 */
};

/* Judges `length` bytes that should be one packet; of several faults the first in the order above. */
enum packet_fault packet_check(const uint8_t *bytes, size_t length);

/* Takes one from the TTL, which must not be 0, and mends the header's checksum (RFC 1624). */
void packet_decrement_ttl(uint8_t *packet);

/* Sets the header's checksum. */
void packet_set_checksum(uint8_t *packet);

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

/* An address as it stands, in network byte order. */
static inline uint32_t read_address(const uint8_t *at)
{
    uint32_t address;
    memcpy(&address, at, sizeof address);
    return address;
}

static inline uint32_t header_length(const uint8_t *packet)
{
    return (packet[0] & 15u) * 4u;
}

static inline uint32_t source_of(const uint8_t *packet)
{
    return read_address(packet + 12);
}

static inline uint32_t destination_of(const uint8_t *packet)
{
    return read_address(packet + 16);
}

#define FRAGMENT_DF 0x4000u
#define FRAGMENT_MF 0x2000u
#define FRAGMENT_OFFSET 0x1fffu

static inline bool is_fragment(const uint8_t *packet)
{
    return (read16(packet + 6) & (FRAGMENT_MF | FRAGMENT_OFFSET)) != 0;
}

/* 224.0.0.0/4 and above: multicast, reserved, broadcast. `address` in network byte order. */
static inline bool is_multicast_or_above(uint32_t address)
{
    uint8_t first;
    memcpy(&first, &address, 1);
    return first >= 224;
}

#endif
