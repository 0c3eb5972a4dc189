/* Packets of any kind through the functions that judge, split, cut and report them. */
#include "fuzz.h"

#include "checksum.h"
#include "fragment.h"
#include "icmp.h"
#include "packet.h"
#include "split.h"

#include <netinet/in.h>

uint64_t digest = 0xcbf29ce484222325u;

void observe_number(uint64_t number)
{
    digest = (digest ^ number) * 0x100000001b3u; /* FNV-1a's step, by 64 bits */
}

void observe(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    observe_number(length);
    for (; length > 0; at += length < 8 ? length : 8, length -= length < 8 ? length : 8) {
        uint64_t word = 0;
        memcpy(&word, at, length < 8 ? length : 8);
        observe_number(word);
    }
}

uint8_t take_byte(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

uint32_t take_word(struct input *input)
{
    uint32_t high = take_byte(input);
    return high << 8 | take_byte(input);
}

uint32_t family_of(const uint8_t *packet, size_t length)
{
    return length > 0 && is_ipv6(packet) ? 6 : 4;
}

/* Where TCP's or UDP's checksum stands, 0 where there is none, or one of which the whole is not here. */
static uint32_t transport_field(const uint8_t *packet, uint32_t length, struct upper *upper)
{
    if (!packet_upper(upper, packet, length) || upper->is_fragment || upper->is_routed)
        return 0;
    uint32_t field = upper->at + (upper->protocol == IPPROTO_TCP ? 16 : 6);
    bool has_one = upper->protocol == IPPROTO_TCP || upper->protocol == IPPROTO_UDP;
    return has_one && field + 2 <= length ? field : 0;
}

static uint16_t transport_sum(const uint8_t *packet, uint32_t length, const struct upper *upper)
{
    uint64_t pseudo = checksum_pseudo(packet, upper->protocol, length - upper->at);
    return checksum_fold(checksum_add(pseudo, packet + upper->at, length - upper->at));
}

static void mend_transport(uint8_t *packet, uint32_t length)
{
    struct upper upper;
    uint32_t field = transport_field(packet, length, &upper);
    if (field == 0)
        return;
    write16(packet + field, 0);
    uint16_t checksum = transport_sum(packet, length, &upper);
    if (checksum == 0 && upper.protocol == IPPROTO_UDP)
        checksum = 0xffff;
    memcpy(packet + field, &checksum, 2);
}

uint8_t *take_packet(struct input *input, uint32_t *length, uint8_t mend)
{
    if (*length > input->left)
        *length = (uint32_t)input->left;
    uint8_t *packet = malloc(*length == 0 ? 1 : *length);
    REQUIRE(packet != NULL);
    memcpy(packet, input->at, *length);
    input->at += *length;
    input->left -= *length;
    if (*length < IPV6_HEADER || *length > MAX_PACKET)
        return packet;
    if (mend & MEND_HEADER) {
        packet[0] = (uint8_t)((mend & MEND_TO_IPV6 ? 0x60 : 0x40) | (packet[0] & 15));
        if (header_length(packet) < IP_HEADER || header_length(packet) > *length)
            return packet;
        packet_set_length(packet, *length);
    }
    if (mend & MEND_TRANSPORT && header_length(packet) >= IP_HEADER && header_length(packet) <= *length)
        mend_transport(packet, *length);
    return packet;
}

bool is_intact_transport(const uint8_t *packet, uint32_t length)
{
    struct upper upper;
    return transport_field(packet, length, &upper) == 0 || transport_sum(packet, length, &upper) == 0;
}

static void check_segments(const struct split *split, const uint8_t *packet)
{
    static uint8_t segment[MAX_PACKET + MAX_HEADERS];
    uint32_t done = split->headers;
    for (uint32_t i = 0; i < split->count; i++) {
        uint8_t *headers = malloc(MAX_HEADERS);
        const uint8_t *payload;
        REQUIRE(headers != NULL);
        uint32_t size = split_segment(split, i, headers, &payload);
        REQUIRE(payload == packet + done);
        REQUIRE(size == split->most || (i + 1 == split->count && size < split->most));
        done += size;
        REQUIRE(done <= split->length && split->headers + size <= MAX_PACKET);
        memcpy(segment, headers, split->headers);
        memcpy(segment + split->headers, payload, size);
        free(headers);
        enum packet_fault fault = packet_check(family_of(segment, 1), segment, split->headers + size);
        REQUIRE(fault == PACKET_OK || fault == PACKET_TTL);
        REQUIRE(is_intact_transport(segment, split->headers + size));
        observe(segment, split->headers + size);
    }
    REQUIRE(done == split->length);
}

static void fuzz_split(struct input *input)
{
    struct virtio_net_hdr offload;
    struct split split;
    uint8_t bytes[sizeof offload];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = take_byte(input);
    memcpy(&offload, bytes, sizeof offload);
    uint8_t mend = take_byte(input);
    uint32_t length = MAX_PACKET + 9;
    uint8_t *packet = take_packet(input, &length, mend);
    enum packet_fault fault = packet_check(family_of(packet, length), packet, length);
    observe_number(fault);
    if (fault == PACKET_OK || fault == PACKET_TTL || fault == PACKET_CHECKSUM) {
        if (ttl_of(packet) > 0)
            packet_decrement_ttl(packet);
        enum packet_fault after = packet_check(family_of(packet, length), packet, length);
        REQUIRE(fault == PACKET_CHECKSUM || after == PACKET_OK || after == PACKET_TTL);
        if (split_begin(&split, &offload, packet, length)) {
            REQUIRE(split.count >= 1 && split.length == length && split.headers <= MAX_HEADERS);
            if (split.headers > 0)
                check_segments(&split, packet);
            else
                observe(packet, length);
        }
    }
    free(packet);
}

static void check_icmp(const uint8_t *out, uint32_t size, const uint8_t *packet)
{
    bool ipv6 = is_ipv6(packet);
    uint32_t ip = ipv6 ? IPV6_HEADER : IP_HEADER;
    REQUIRE(is_ipv6(out) == ipv6 && size > ip + 8 && size <= (ipv6 ? ICMP_MOST : ICMP_MOST_IPV4));
    REQUIRE(packet_check(family_of(out, size), out, size) == PACKET_OK);
    REQUIRE(memcmp(out + ip + 8, packet, size - ip - 8) == 0);
    REQUIRE(address_equal(destination_of(out), source_of(packet)));
    uint64_t pseudo = ipv6 ? checksum_pseudo(out, IPPROTO_ICMPV6, size - ip) : 0;
    REQUIRE(checksum_fold(checksum_add(pseudo, out + ip, size - ip)) == 0);
}

static void fuzz_icmp(struct input *input)
{
    struct icmp_error error = {.reason = take_byte(input) % 4};
    error.mtu = take_word(input);
    error.source.words[0] = (uint64_t)take_word(input) << 16 | take_word(input);
    uint8_t mend = take_byte(input);
    uint32_t length = MAX_PACKET;
    uint8_t *packet = take_packet(input, &length, mend);
    enum packet_fault fault = packet_check(family_of(packet, length), packet, length);
    if (fault == PACKET_OK || fault == PACKET_TTL) {
        uint8_t *out = malloc(ICMP_MOST);
        REQUIRE(out != NULL);
        uint32_t size = icmp_write(out, error, packet, length);
        if (size > 0)
            check_icmp(out, size, packet);
        observe(out, size);
        free(out);
    }
    free(packet);
}

static void check_fragments(const uint8_t *packet, uint32_t length, uint32_t most)
{
    uint32_t header = header_length(packet), offset = 0;
    for (;;) {
        uint8_t *out = malloc(most == 0 ? 1 : most);
        REQUIRE(out != NULL);
        uint32_t before = offset;
        uint32_t size = fragment_next(out, most, packet, &offset);
        if (size > 0) {
            uint32_t own = header_length(out);
            enum packet_fault fault = packet_check(4, out, size);
            REQUIRE(size <= most && (fault == PACKET_OK || fault == PACKET_TTL));
            REQUIRE(offset - before == size - own && size > own);
            REQUIRE(memcmp(out + own, packet + header + before, size - own) == 0);
            REQUIRE((read16(out + 6) & FRAGMENT_OFFSET) == (read16(packet + 6) & FRAGMENT_OFFSET) + before / 8);
            bool more = header + offset < length || read16(packet + 6) & FRAGMENT_MF;
            REQUIRE(more == ((read16(out + 6) & FRAGMENT_MF) != 0));
            observe(out, size);
        }
        free(out);
        if (size == 0)
            break;
    }
    bool done = header + offset == length;
    REQUIRE(done || most < IP_MAX_HEADER + 8 || (read16(packet + 6) & FRAGMENT_OFFSET) + offset / 8 > FRAGMENT_OFFSET);
}

static void fuzz_fragment(struct input *input)
{
    uint32_t most = take_word(input);
    uint8_t mend = take_byte(input);
    uint32_t length = MAX_PACKET;
    uint8_t *packet = take_packet(input, &length, mend);
    enum packet_fault fault = packet_check(4, packet, length);
    if (fault == PACKET_OK || fault == PACKET_TTL)
        check_fragments(packet, length, most);
    free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    switch (take_byte(&input) % 5) {
    case 0:
        fuzz_split(&input);
        break;
    case 1:
        fuzz_join(&input);
        break;
    case 2:
        fuzz_icmp(&input);
        break;
    case 3:
        fuzz_fragment(&input);
        break;
    default:
        fuzz_table(&input);
    }
    return 0;
}
