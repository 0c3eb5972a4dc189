/* Fragments of a packet that may be fragmented (RFC 791). Pure. */
#ifndef FLAN_FRAGMENT_H
#define FLAN_FRAGMENT_H

#include <stdint.h>

/*
 * Writes the fragment that begins `offset` bytes into the payload, `most` bytes long at most, to `out`, and returns its
 * length; `*offset` moves on, to the payload's length after the last one. `packet` has passed packet_check and may be
 * a fragment itself. Returns 0 where nothing fits or nothing is left.
 */
uint32_t fragment_next(uint8_t *out, uint32_t most, const uint8_t *packet, uint32_t *offset);

#endif
