#include "fuzz_packet.h"

#include "packet.h"

#include <netinet/in.h>

uint32_t random_below(struct random *random, uint32_t limit)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    uint64_t high = random->state * 0x2545f4914f6cdd1du >> 32;
    return (uint32_t)(high * limit >> 32);
}

bool one_in(struct random *random, uint32_t many)
{
    return random_below(random, many) == 0;
}

void put_byte(struct out *out, uint32_t value)
{
    out->bytes[out->length++] = (uint8_t)value;
}

void put_word(struct out *out, uint32_t value)
{
    put_byte(out, value >> 8);
    put_byte(out, value);
}

void put_random(struct random *random, struct out *out, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        put_byte(out, random_below(random, 256));
}

uint32_t any_length(struct random *random)
{
    const uint32_t limits[] = {2, 10, 100, 1600, 1600, 9000, 65400};
    return random_below(random, limits[random_below(random, one_in(random, 4) ? 7 : 4)]);
}

struct flow random_flow(struct random *random)
{
    const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, 50};
    const uint16_t fragments[] = {0x4000, 0x4000, 0, 0x2000, 0x2001, 5, 0x1fff, 0xc000};
    struct flow flow = {
        .ipv6 = one_in(random, 2),
        .protocol = protocols[random_below(random, 6)],
        .tos = (uint8_t)random_below(random, 4),
        .ttl = one_in(random, 20) ? (uint8_t)random_below(random, 3) : 64,
        .options = one_in(random, 5) ? (uint8_t)random_below(random, 11) : 0,
        .tcp_options = (uint8_t)(one_in(random, 2) ? 3 : random_below(random, 11)),
        .flags = one_in(random, 4) ? (uint8_t)random_below(random, 256) : 0x10,
        .fragment = fragments[random_below(random, one_in(random, 3) ? 8 : 2)],
        .from = (uint16_t)random_below(random, 3),
        .to = 80,
        .source = one_in(random, 8) ? random_below(random, 1u << 31) * 2 : 0x0af40207,
        .destination = one_in(random, 8) ? random_below(random, 1u << 31) * 2 : 0x0af40105,
        .sequence = random_below(random, 1u << 31) * 2,
        .size = 1 + any_length(random),
    };
    return flow;
}

uint32_t flow_header(const struct flow *flow)
{
    if (!flow->ipv6)
        return IP_HEADER + flow->options * 4u;
    return IPV6_HEADER + (flow->options > 0 ? 8 + flow->options / 4 * 8u : 0);
}

static void write_ipv4(struct random *random, uint8_t *packet, const struct flow *flow, uint32_t total)
{
    packet[0] = (uint8_t)(0x40 | flow_header(flow) / 4);
    packet[1] = flow->tos;
    write16(packet + 2, total);
    write16(packet + 4, random_below(random, 65536));
    write16(packet + 6, flow->fragment);
    packet[8] = flow->ttl;
    packet[9] = flow->protocol;
    write32(packet + 12, flow->source);
    write32(packet + 16, flow->destination);
    for (uint32_t i = IP_HEADER; i < flow_header(flow); i++)
        packet[i] = (uint8_t)(i % 4 == 0 ? random_below(random, 256) : i % 4 == 1 ? 2 + random_below(random, 8) : 0x83);
}

/* With one extension header where the flow has options, which then is any of those that there are. */
static void write_ipv6(struct random *random, uint8_t *packet, const struct flow *flow, uint32_t total)
{
    const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
                                  IPPROTO_AH};
    bool icmp = flow->protocol == IPPROTO_ICMP;
    uint8_t protocol = icmp ? IPPROTO_ICMPV6 : flow->protocol, *extension = packet + IPV6_HEADER;
    packet[0] = 0x60;
    packet[1] = (uint8_t)(flow->tos << 4);
    write16(packet + 4, total - IPV6_HEADER);
    packet[6] = protocol;
    packet[7] = flow->ttl;
    memset(packet + 8, 0xfd, 12);
    write32(packet + 20, flow->source);
    memset(packet + 24, 0xfd, 12);
    write32(packet + 36, flow->destination);
    if (flow->options == 0)
        return;
    packet[6] = extensions[random_below(random, 6)];
    for (uint32_t i = 0; i < flow_header(flow) - IPV6_HEADER; i++)
        extension[i] = (uint8_t)random_below(random, 256);
    extension[0] = protocol;
    extension[1] = (uint8_t)(one_in(random, 8) ? random_below(random, 256) : (flow_header(flow) - IPV6_HEADER) / 8 - 1);
}

void put_packet(struct random *random, struct out *out, const struct flow *flow, uint32_t payload)
{
    uint32_t ip = flow_header(flow), transport = 0;
    if (flow->protocol == IPPROTO_TCP)
        transport = TCP_HEADER + flow->tcp_options * 4u;
    else if (flow->protocol == IPPROTO_UDP)
        transport = UDP_HEADER;
    if (ip + transport + payload > MAX_PACKET)
        payload = MAX_PACKET - ip - transport;
    uint8_t *packet = out->bytes + out->length;
    memset(packet, 0, ip + transport);
    (flow->ipv6 ? write_ipv6 : write_ipv4)(random, packet, flow, ip + transport + payload);
    uint8_t *header = packet + ip;
    if (transport > 0) {
        write16(header, flow->from);
        write16(header + 2, flow->to);
    }
    if (flow->protocol == IPPROTO_TCP) {
        write32(header + 4, flow->sequence);
        header[12] = (uint8_t)(transport / 4 << 4);
        header[13] = flow->flags;
        write16(header + 14, random_below(random, 65536));
    } else if (flow->protocol == IPPROTO_UDP) {
        write16(header + 4, transport + payload);
    }
    out->length += ip + transport;
    put_random(random, out, payload);
}
