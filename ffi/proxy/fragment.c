#include "fragment.h"

#include "packet.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_COPIED = 0x80 };

/* Writes the header of a later fragment: of the options only those that say that they are copied. Returns its length. */
static uint32_t later_header(uint8_t *out, const uint8_t *packet)
{
    uint32_t end = header_length(packet);
    uint32_t length = IP_HEADER;
    memcpy(out, packet, IP_HEADER);
    for (uint32_t at = IP_HEADER; at < end && packet[at] != OPTION_END;) {
        uint32_t size = packet[at] == OPTION_NOP ? 1 : at + 1 < end ? packet[at + 1] : 0;
        if (size == 0 || at + size > end || (size < 2 && packet[at] != OPTION_NOP))
            break; /* what cannot be read is not passed on */
        if (packet[at] & OPTION_COPIED) {
            memcpy(out + length, packet + at, size);
            length += size;
        }
        at += size;
    }
    while (length % 4 != 0)
        out[length++] = OPTION_END;
    out[0] = (uint8_t)(0x40 | length / 4);
    return length;
}

uint32_t fragment_next(uint8_t *out, uint32_t most, const uint8_t *packet, uint32_t *offset)
{
    uint8_t headers[IP_MAX_HEADER];
    uint32_t before = header_length(packet);
    uint32_t payload = read16(packet + 2) - before;
    uint32_t header = before;
    if (*offset >= payload)
        return 0;
    if (*offset == 0)
        memcpy(headers, packet, before);
    else
        header = later_header(headers, packet);
    if (most < header)
        return 0;
    uint32_t rest = payload - *offset;
    bool last = rest <= most - header;
    uint32_t size = last ? rest : (most - header) / 8 * 8;
    if (size == 0)
        return 0;
    uint32_t word = read16(packet + 6);
    uint32_t position = (word & FRAGMENT_OFFSET) + *offset / 8;
    if (position > FRAGMENT_OFFSET)
        return 0; /* no packet can be that long, and MF must not be made of it */
    uint32_t more = !last || word & FRAGMENT_MF ? FRAGMENT_MF : 0;
    write16(headers + 2, header + size);
    write16(headers + 6, (word & ~(FRAGMENT_OFFSET | FRAGMENT_MF)) | more | position);
    packet_set_checksum(headers);
    memcpy(out, headers, header);
    memcpy(out + header, packet + before + *offset, size);
    *offset += size;
    return header + size;
}
