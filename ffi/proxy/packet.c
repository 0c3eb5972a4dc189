#include "packet.h"

#include "checksum.h"

#include <netinet/in.h>

static enum packet_fault check_ipv6(const uint8_t *bytes, size_t length)
{
    if (length < IPV6_HEADER)
        return PACKET_SHORT;
    if (bytes[0] >> 4 != 6)
        return PACKET_VERSION;
    /* Jumbograms (RFC 2675), which say 0 here, fit into no datagram. */
    if (read16(bytes + 4) + (size_t)IPV6_HEADER != length)
        return PACKET_TOTAL_LENGTH;
    return bytes[7] <= 1 ? PACKET_TTL : PACKET_OK;
}

enum packet_fault packet_check(uint32_t family, const uint8_t *bytes, size_t length)
{
    if (family == 6)
        return check_ipv6(bytes, length);
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
    if (is_ipv6(packet)) {
        packet[7]--;
        return;
    }
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

void packet_set_length(uint8_t *packet, uint32_t length)
{
    if (is_ipv6(packet)) {
        write16(packet + 4, length - IPV6_HEADER);
        return;
    }
    write16(packet + 2, length);
    packet_set_checksum(packet);
}

/* More of them in a row mean nothing (RFC 8200, section 4.1: each occurs once, destination options twice). */
#define EXTENSIONS 8
#define FRAGMENT_HEADER_OFFSET 0xfff8u
#define FRAGMENT_HEADER_MORE 1u

static bool ipv6_upper(struct upper *upper, const uint8_t *packet, uint32_t length)
{
    upper->protocol = packet[6];
    upper->at = IPV6_HEADER;
    for (uint32_t i = 0; i <= EXTENSIONS; i++) {
        const uint8_t *header = packet + upper->at;
        bool is_authentication = upper->protocol == IPPROTO_AH;
        bool is_fragment_header = upper->protocol == IPPROTO_FRAGMENT;
        bool is_routing = upper->protocol == IPPROTO_ROUTING;
        if (upper->protocol != IPPROTO_HOPOPTS && upper->protocol != IPPROTO_DSTOPTS && !is_routing &&
            !is_fragment_header && !is_authentication)
            return true;
        if (upper->at + 8 > length)
            return false;
        uint32_t size = is_fragment_header ? 8 : is_authentication ? (header[1] + 2u) * 4u : (header[1] + 1u) * 8u;
        upper->is_routed |= is_routing;
        if (is_fragment_header) {
            upper->is_later |= (read16(header + 2) & FRAGMENT_HEADER_OFFSET) != 0;
            upper->is_fragment |= (read16(header + 2) & (FRAGMENT_HEADER_OFFSET | FRAGMENT_HEADER_MORE)) != 0;
        }
        upper->protocol = header[0];
        upper->at += size;
        if (upper->at > length)
            return false;
        if (upper->is_later)
            return true;
    }
    return false;
}

bool packet_upper(struct upper *upper, const uint8_t *packet, uint32_t length)
{
    *upper = (struct upper){0};
    if (is_ipv6(packet))
        return ipv6_upper(upper, packet, length);
    upper->protocol = packet[9];
    upper->at = header_length(packet);
    upper->is_fragment = is_fragment(packet);
    upper->is_later = (read16(packet + 6) & FRAGMENT_OFFSET) != 0;
    return true;
}
