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

static void mend_transport(uint8_t *packet, uint32_t length)
{
    uint32_t ip = header_length(packet);
    uint32_t field = ip + (packet[9] == IPPROTO_TCP ? 16 : 6);
    if ((packet[9] != IPPROTO_TCP && packet[9] != IPPROTO_UDP) || field + 2 > length)
        return;
    write16(packet + field, 0);
    uint64_t sum = checksum_add(checksum_pseudo(packet, length - ip), packet + ip, length - ip);
    uint16_t checksum = checksum_fold(sum);
    if (checksum == 0 && packet[9] == IPPROTO_UDP)
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
    if (*length < IP_HEADER || *length > MAX_PACKET || header_length(packet) < IP_HEADER ||
        header_length(packet) > *length)
        return packet;
    if (mend & MEND_HEADER) {
        packet[0] = (uint8_t)(0x40 | (packet[0] & 15));
        write16(packet + 2, *length);
        packet_set_checksum(packet);
    }
    if (mend & MEND_TRANSPORT)
        mend_transport(packet, *length);
    return packet;
}

bool is_intact_transport(const uint8_t *packet, uint32_t length)
{
    uint32_t ip = header_length(packet);
    if (is_fragment(packet) || (packet[9] != IPPROTO_TCP && packet[9] != IPPROTO_UDP))
        return true;
    return checksum_fold(checksum_add(checksum_pseudo(packet, length - ip), packet + ip, length - ip)) == 0;
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
        enum packet_fault fault = packet_check(segment, split->headers + size);
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
    enum packet_fault fault = packet_check(packet, length);
    observe_number(fault);
    if (fault == PACKET_OK || fault == PACKET_TTL || fault == PACKET_CHECKSUM) {
        if (packet[8] > 0)
            packet_decrement_ttl(packet);
        enum packet_fault after = packet_check(packet, length);
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

static void fuzz_icmp(struct input *input)
{
    struct icmp_error error = {.type = take_byte(input), .code = take_byte(input)};
    error.mtu = (uint16_t)take_word(input);
    error.source = take_word(input) << 16 | take_word(input);
    uint8_t mend = take_byte(input);
    uint32_t length = MAX_PACKET;
    uint8_t *packet = take_packet(input, &length, mend);
    enum packet_fault fault = packet_check(packet, length);
    if (fault == PACKET_OK || fault == PACKET_TTL) {
        uint8_t *out = malloc(ICMP_MOST);
        REQUIRE(out != NULL);
        uint32_t size = icmp_write(out, error, packet, length);
        REQUIRE(size == 0 || (size >= 28 + IP_HEADER && size <= ICMP_MOST));
        REQUIRE(size == 0 || packet_check(out, size) == PACKET_OK);
        REQUIRE(size == 0 || memcmp(out + 28, packet, size - 28) == 0);
        REQUIRE(size == 0 || destination_of(out) == source_of(packet));
        REQUIRE(size == 0 || checksum_fold(checksum_add(0, out + IP_HEADER, size - IP_HEADER)) == 0);
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
            enum packet_fault fault = packet_check(out, size);
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
    enum packet_fault fault = packet_check(packet, length);
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
