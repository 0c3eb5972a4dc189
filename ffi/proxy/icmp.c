#include "icmp.h"

#include "checksum.h"
#include "packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define ICMP_HEADER 8
#define TTL 64
#define TOS_INTERNETWORK_CONTROL 0xc0 /* RFC 1812, 4.3.2.5 */

/* Queries and their answers; everything else is an error, or may be one. */
static bool is_icmp_query(uint8_t type)
{
    return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

/* Whether an address can be one host's: not 0.0.0.0/8, loopback, multicast, reserved or broadcast. */
static bool is_host(uint32_t address)
{
    uint8_t first;
    memcpy(&first, &address, 1);
    return first != 0 && first != 127 && !is_multicast_or_above(address);
}

static bool may_be_told(const uint8_t *packet, uint32_t length)
{
    uint32_t header = header_length(packet);
    if (read16(packet + 6) & FRAGMENT_OFFSET)
        return false;
    if (!is_host(source_of(packet)) || is_multicast_or_above(destination_of(packet)))
        return false;
    if (packet[9] != IPPROTO_ICMP)
        return true;
    return header < length && is_icmp_query(packet[header]);
}

uint32_t icmp_write(uint8_t *out, struct icmp_error error, const uint8_t *packet, uint32_t length)
{
    if (!may_be_told(packet, length))
        return 0;
    uint32_t room = ICMP_MOST - IP_HEADER - ICMP_HEADER;
    uint32_t quoted = length < room ? length : room;
    uint32_t total = IP_HEADER + ICMP_HEADER + quoted;
    memset(out, 0, IP_HEADER + ICMP_HEADER);
    out[0] = 0x45;
    out[1] = TOS_INTERNETWORK_CONTROL;
    write16(out + 2, total);
    out[8] = TTL;
    out[9] = IPPROTO_ICMP;
    memcpy(out + 12, &error.source, 4);
    memcpy(out + 16, packet + 12, 4);
    packet_set_checksum(out);
    uint8_t *icmp = out + IP_HEADER;
    icmp[0] = error.type;
    icmp[1] = error.code;
    write16(icmp + 6, error.mtu);
    memcpy(icmp + ICMP_HEADER, packet, quoted);
    uint16_t sum = checksum_fold(checksum_add(0, icmp, ICMP_HEADER + quoted));
    memcpy(icmp + 2, &sum, 2);
    return total;
}

bool icmp_allowed(struct icmp_limiter *limiter, uint64_t now)
{
    const uint64_t price = 1000000000u / ICMP_RATE;
    const uint64_t most = price * ICMP_BURST;
    uint64_t passed = now - limiter->last;
    uint64_t credit = passed > most ? most : limiter->credit + passed;
    limiter->last = now;
    limiter->credit = credit > most ? most : credit;
    if (limiter->credit < price)
        return false;
    limiter->credit -= price;
    return true;
}
