/* The Internet checksum (RFC 1071), as a sum that is carried on from piece to piece. */
#ifndef FLAN_CHECKSUM_H
#define FLAN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * `sum` with `length` bytes added. Pieces but the last must have an even length. The bytes are added in the host's
 * order, which changes nothing but the order in which checksum_fold's two bytes are stored (RFC 1071, 2 B).
 */
uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t length);

/* The 16 bits that a header holds, ready for memcpy; not yet the rule that UDP sends 0xffff for 0 (RFC 768). */
uint16_t checksum_fold(uint64_t sum);

/*
 * The sum of the pseudo header of `protocol` over `length` bytes, the upper header's and what follows it (RFC 9293,
 * RFC 768; RFC 8200, section 8.1). `packet` is one of IPv4, or of IPv6 without a routing header.
 */
uint64_t checksum_pseudo(const uint8_t *packet, uint8_t protocol, uint32_t length);

#endif
