#include "split.h"

#include "checksum.h"
#include "packet.h"
#include "since.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };
#define UDP_CHECKSUM 6

/* The checksum field holds the pseudo header's sum, and the rest is left to us. */
static bool complete_checksum(const struct virtio_net_hdr *offload, uint8_t *packet, uint32_t length)
{
    uint32_t start = offload->csum_start;
    uint32_t field = start + offload->csum_offset;
    if (start < header_length(packet) || field + 2 > length)
        return false;
    uint16_t sum = checksum_fold(checksum_add(0, packet + start, length - start));
    if (sum == 0 && offload->csum_offset == UDP_CHECKSUM)
        sum = 0xffff; /* RFC 768: 0 says that there is no checksum */
    memcpy(packet + field, &sum, 2);
    return true;
}

/* The length of the headers of a packet that can be split, those of TCP or UDP too, or 0. */
static uint32_t split_headers(struct split *split, const uint8_t *packet, uint32_t length)
{
    struct upper upper;
    if (!packet_upper(&upper, packet, length) || upper.protocol != split->protocol || upper.is_fragment)
        return 0;
    uint32_t ip = upper.at, headers = ip + UDP_HEADER;
    split->transport_at = ip;
    if (split->protocol == IPPROTO_TCP) {
        uint32_t tcp = ip + TCP_HEADER > length ? 0 : (packet[ip + 12] >> 4) * 4u;
        if (tcp < TCP_HEADER)
            return 0;
        headers = ip + tcp;
    }
    /* Behind a routing header the pseudo header has another destination, which nobody needs to know here. */
    return headers <= length && headers <= MAX_HEADERS && !upper.is_routed ? headers : 0;
}

/* Sums of what every segment has; the fields that differ count as 0. */
static void sum_constant(struct split *split)
{
    uint8_t headers[MAX_HEADERS];
    memcpy(headers, split->packet, split->headers);
    uint32_t ip = split->transport_at;
    uint8_t *transport = headers + ip;
    split->transport = checksum_pseudo(headers, split->protocol, 0);
    if (!is_ipv6(headers)) {
        memset(headers + 2, 0, 4);  /* total length, identification */
        memset(headers + 10, 0, 2); /* checksum */
        split->constant = checksum_add(0, headers, ip);
    }
    if (split->protocol == IPPROTO_UDP) {
        memset(transport + 4, 0, 4); /* length, checksum */
    } else {
        memset(transport + 4, 0, 4);  /* sequence number */
        memset(transport + 12, 0, 2); /* flags */
        memset(transport + 16, 0, 2); /* checksum */
    }
    split->transport = checksum_add(split->transport, transport, split->headers - ip);
}

bool split_begin(struct split *split, const struct virtio_net_hdr *offload, uint8_t *packet, uint32_t length)
{
    uint8_t type = offload->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    *split = (struct split){.count = 1, .length = length, .packet = packet};
    if (type == VIRTIO_NET_HDR_GSO_NONE)
        return !(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || complete_checksum(offload, packet, length);
    if (type == (is_ipv6(packet) ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4))
        split->protocol = IPPROTO_TCP;
    else if (type == VIRTIO_NET_HDR_GSO_UDP_L4)
        split->protocol = IPPROTO_UDP;
    else
        return false;
    split->headers = split_headers(split, packet, length);
    split->most = offload->gso_size;
    if (split->headers == 0 || split->most == 0)
        return false;
    uint32_t payload = length - split->headers;
    if (payload > split->most)
        split->count = (payload + split->most - 1) / split->most;
    sum_constant(split);
    return true;
}

static uint64_t finish_tcp(const struct split *split, uint32_t index, uint8_t *tcp)
{
    uint32_t sequence = read32(tcp + 4) + index * split->most;
    write32(tcp + 4, sequence);
    if (index > 0)
        tcp[13] &= (uint8_t)~TCP_CWR;
    if (index + 1 < split->count)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    return (uint64_t)htonl(sequence) + htons(read16(tcp + 12));
}

/* Sets what differs from segment to segment in an IP header whose other fields are summed already. */
static void finish_ip(const struct split *split, uint32_t index, uint8_t *headers, uint32_t total)
{
    if (is_ipv6(headers)) {
        write16(headers + 4, total - IPV6_HEADER);
        return;
    }
    uint32_t identification = read16(headers + 4) + index;
    write16(headers + 2, total);
    write16(headers + 4, identification);
    uint16_t sum = checksum_fold(split->constant + htons((uint16_t)total) + htons((uint16_t)identification));
    memcpy(headers + 10, &sum, 2);
}

uint32_t split_segment(const struct split *split, uint32_t index, uint8_t *headers, const uint8_t **payload)
{
    uint32_t begin = split->headers + index * split->most;
    uint32_t rest = split->length - begin;
    uint32_t size = rest < split->most ? rest : split->most;
    uint32_t ip = split->transport_at;
    uint32_t total = split->headers + size;
    uint8_t *transport = headers + ip;
    memcpy(headers, split->packet, split->headers);
    *payload = split->packet + begin;
    finish_ip(split, index, headers, total);

    uint16_t sum;
    uint64_t carried = checksum_add(split->transport + htons((uint16_t)(total - ip)), *payload, size);
    if (split->protocol == IPPROTO_TCP) {
        sum = checksum_fold(carried + finish_tcp(split, index, transport));
        memcpy(transport + 16, &sum, 2);
    } else {
        write16(transport + 4, total - ip);
        sum = checksum_fold(carried + htons((uint16_t)(total - ip)));
        if (sum == 0)
            sum = 0xffff;
        memcpy(transport + 6, &sum, 2);
    }
    return size;
}
