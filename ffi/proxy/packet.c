#include "packet.h"

#include "checksum.h"

enum packet_fault packet_check(const uint8_t *bytes, size_t length)
{
    if (length < IP_HEADER)
        return PACKET_SHORT;
    if (bytes[0] >> 4 != 4)
        return PACKET_VERSION;
    uint32_t header = header_length(bytes);
    if (header < IP_HEADER || header > length)
        return PACKET_HEADER_LENGTH;
    if (read16(bytes + 2) != length)
        return PACKET_TOTAL_LENGTH;
    if (checksum_fold(checksum_add(0, bytes, header)) != 0)
        return PACKET_CHECKSUM;
    return bytes[8] <= 1 ? PACKET_TTL : PACKET_OK;
}

void packet_decrement_ttl(uint8_t *packet)
{
    uint32_t before = read16(packet + 8);
    packet[8]--;
    /* RFC 1624, equation 3: HC' = ~(~HC + ~m + m') */
    uint32_t sum = (~(uint32_t)read16(packet + 10) & 0xffff) + (~before & 0xffff) + read16(packet + 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    write16(packet + 10, ~sum);
}

void packet_set_checksum(uint8_t *packet)
{
    write16(packet + 10, 0);
    uint16_t sum = checksum_fold(checksum_add(0, packet, header_length(packet)));
    memcpy(packet + 10, &sum, 2);
}
