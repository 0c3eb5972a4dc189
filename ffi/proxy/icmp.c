#include "icmp.h"

#include "checksum.h"

#define ICMP_HEADER 8
#define TTL 64
#define TOS_INTERNETWORK_CONTROL 0xc0 /* RFC 1812, 4.3.2.5 */

struct kind {
    uint8_t type, code;
};

/* RFC 792 and RFC 1191, RFC 4443. */
static const struct kind kinds4[] = {[ICMP_NET_UNREACHABLE] = {3, 0},
                                     [ICMP_HOST_UNREACHABLE] = {3, 1},
                                     [ICMP_TOO_BIG] = {3, 4},
                                     [ICMP_TIME_EXCEEDED] = {11, 0}};
static const struct kind kinds6[] = {[ICMP_NET_UNREACHABLE] = {1, 0},
                                     [ICMP_HOST_UNREACHABLE] = {1, 3},
                                     [ICMP_TOO_BIG] = {2, 0},
                                     [ICMP_TIME_EXCEEDED] = {3, 0}};

/* Queries and their answers; everything else is an error, or may be one. */
static bool is_icmp_query(uint8_t type)
{
    return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

/* RFC 4443, 2.1: errors are below 128. A redirect (RFC 4861) must not be answered by one, either. */
static bool is_icmp6_query(uint8_t type)
{
    return type >= 128 && type != 137;
}

/* Whether an address can be one host's: not 0.0.0.0/8, loopback, multicast, reserved or broadcast. */
static bool is_host4(const uint8_t *address)
{
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

/* Not unspecified, loopback or multicast; nor link-local, of which nobody could tell on which link. */
static bool is_host6(const uint8_t *address)
{
    static const uint8_t zeros[15];
    bool is_low = memcmp(address, zeros, sizeof zeros) == 0 && address[15] <= 1;
    return !is_low && address[0] != 0xff && !(address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

static bool may_be_told(const uint8_t *packet, uint32_t length)
{
    struct upper upper;
    const uint8_t *source = packet + addresses_at(packet);
    bool ipv6 = is_ipv6(packet);
    if (!(ipv6 ? is_host6(source) : is_host4(source)) || is_multicast(packet) || !packet_upper(&upper, packet, length))
        return false;
    if (upper.is_later)
        return ipv6 && upper.protocol != IPPROTO_ICMPV6; /* a way's MTU is learned from them, too */
    if (upper.protocol != (ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
        return true;
    return upper.at < length && (ipv6 ? is_icmp6_query : is_icmp_query)(packet[upper.at]);
}

/* Writes the IP header of a message of `total` bytes to the packet's source. Returns its length. */
static uint32_t write_header(uint8_t *out, const struct icmp_error *error, const uint8_t *packet, uint32_t total)
{
    if (is_ipv6(packet)) {
        memset(out, 0, IPV6_HEADER);
        out[0] = 0x60;
        out[6] = IPPROTO_ICMPV6;
        out[7] = TTL;
        memcpy(out + 8, &error->source, 16);
        memcpy(out + 24, packet + 8, 16);
    } else {
        memset(out, 0, IP_HEADER);
        out[0] = 0x45;
        out[1] = TOS_INTERNETWORK_CONTROL;
        out[8] = TTL;
        out[9] = IPPROTO_ICMP;
        memcpy(out + 12, &error->source, 4);
        memcpy(out + 16, packet + 12, 4);
    }
    packet_set_length(out, total);
    return header_length(out);
}

uint32_t icmp_write(uint8_t *out, struct icmp_error error, const uint8_t *packet, uint32_t length)
{
    if (!may_be_told(packet, length))
        return 0;
    bool ipv6 = is_ipv6(packet);
    uint32_t headers = (ipv6 ? IPV6_HEADER : IP_HEADER) + ICMP_HEADER;
    uint32_t room = (ipv6 ? ICMP_MOST : ICMP_MOST_IPV4) - headers;
    uint32_t total = headers + (length < room ? length : room);
    uint32_t ip = write_header(out, &error, packet, total);
    struct kind kind = (ipv6 ? kinds6 : kinds4)[error.reason];
    uint8_t *icmp = out + ip;
    memset(icmp, 0, ICMP_HEADER);
    icmp[0] = kind.type;
    icmp[1] = kind.code;
    /* RFC 1191 has the MTU in the last 16 bits of those that are RFC 4443's. */
    write32(icmp + 4, error.mtu);
    memcpy(icmp + ICMP_HEADER, packet, total - headers);
    uint64_t pseudo = ipv6 ? checksum_pseudo(out, IPPROTO_ICMPV6, total - ip) : 0;
    uint16_t sum = checksum_fold(checksum_add(pseudo, icmp, total - ip));
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
