/* Random inputs that look like what the harness reads, so that most of them come far. */
#include "fuzz_packet.h"

#include "packet.h"

#include <netinet/in.h>

static uint32_t any_mend(struct random *random, const struct flow *flow)
{
    uint32_t family = flow->ipv6 ? MEND_TO_IPV6 : 0;
    return family | (one_in(random, 10) ? random_below(random, 4) : MEND_HEADER | MEND_TRANSPORT);
}

/* struct virtio_net_hdr as the kernel writes it for such a packet, in the host's byte order. */
static void put_offload(struct random *random, struct out *out, const struct flow *flow)
{
    bool tcp = flow->protocol == IPPROTO_TCP;
    uint32_t start = flow_header(flow);
    bool whole = one_in(random, 4);
    uint16_t words[] = {
        (uint16_t)(start + (tcp ? TCP_HEADER + flow->tcp_options * 4u : UDP_HEADER)),
        (uint16_t)(whole ? 0 : one_in(random, 5) ? random_below(random, 64) : 400 + random_below(random, 3000)),
        (uint16_t)start,
        tcp ? 16 : 6,
    };
    put_byte(out, 1);
    put_byte(out, whole ? 0 : (tcp ? (flow->ipv6 ? 4u : 1u) : 5u) | (one_in(random, 5) ? 0x80u : 0));
    memcpy(out->bytes + out->length, words, sizeof words);
    out->length += sizeof words;
}

static void put_list(struct random *random, struct out *out)
{
    struct flow flows[3] = {random_flow(random), random_flow(random), random_flow(random)};
    uint32_t most = 2 + random_below(random, 150), some = 1 + random_below(random, 3);
    put_byte(out, (flows[0].ipv6 ? 4u : 0) | (one_in(random, 6) ? random_below(random, 4) : 0));
    for (uint32_t i = 0; i < most && out->length < INPUT_MOST / 2; i++) {
        struct flow *flow = &flows[random_below(random, some)];
        struct flow odd = *flow;
        uint32_t size = one_in(random, 12) ? random_below(random, flow->size + 2) : flow->size;
        if (one_in(random, 15))
            odd = random_flow(random);
        odd.ipv6 = flows[0].ipv6;
        if (one_in(random, 15))
            odd.flags ^= (uint8_t)(1u << random_below(random, 8));
        if (one_in(random, 30))
            odd.sequence += random_below(random, 3) - 1;
        put_byte(out, any_mend(random, &odd));
        size_t length = out->length;
        put_word(out, 0);
        put_packet(random, out, &odd, size > INPUT_MOST / 4 ? 1000 : size);
        write16(out->bytes + length, (uint32_t)(out->length - length - 2));
        flow->sequence += size;
    }
}

static void put_routes(struct random *random, struct out *out)
{
    put_byte(out, random_below(random, 2));
    for (uint32_t part = 0; part < 3; part++) {
        uint32_t count = random_below(random, 48);
        bool near = one_in(random, 2); /* within one another */
        put_byte(out, count);
        for (uint32_t i = 0; i < count; i++) {
            put_byte(out, one_in(random, 200) ? 15 : random_below(random, 14));
            out->bytes[out->length - 1] = (uint8_t)(out->bytes[out->length - 1] + 16 * random_below(random, 3));
            put_word(out, near ? 0x0a00 + random_below(random, 2) : random_below(random, 65536));
            put_word(out, near ? random_below(random, 512) : random_below(random, 65536));
            put_random(random, out, 3);
        }
    }
}

/* What stands before the packet in the inputs of fuzz_icmp and fuzz_fragment, by the first byte. */
static void put_prefix(struct random *random, struct out *out, uint32_t kind)
{
    put_byte(out, kind);
    if (kind == 2)
        put_random(random, out, 8);
    else if (kind == 3)
        put_word(out, one_in(random, 4) ? random_below(random, 65536) : 68 + random_below(random, 1500));
}

size_t make_input(struct random *random, uint8_t *bytes)
{
    struct out out = {bytes, 0};
    struct flow flow = random_flow(random);
    switch (random_below(random, 9)) {
    case 0:
    case 1:
    case 2:
        put_byte(&out, 0);
        put_offload(random, &out, &flow);
        put_byte(&out, any_mend(random, &flow));
        put_packet(random, &out, &flow, any_length(random));
        break;
    case 3:
    case 4:
    case 5:
        put_byte(&out, 1);
        put_list(random, &out);
        break;
    case 6:
    case 7:
        put_prefix(random, &out, 2 + random_below(random, 2));
        put_byte(&out, any_mend(random, &flow));
        put_packet(random, &out, &flow, any_length(random));
        break;
    default:
        put_byte(&out, 4);
        put_routes(random, &out);
    }
    return out.length;
}

size_t make_input_with(struct random *random, uint8_t *bytes, const uint8_t *packet, size_t length)
{
    struct out out = {bytes, 0};
    struct flow flow = random_flow(random);
    uint32_t kind = random_below(random, 4);
    if (kind == 0) {
        put_byte(&out, 0);
        put_offload(random, &out, &flow);
    } else if (kind == 1) {
        put_byte(&out, 1);
        put_list(random, &out);
    } else {
        put_prefix(random, &out, kind);
    }
    put_byte(&out, random_below(random, 8));
    if (kind == 1)
        put_word(&out, (uint32_t)length);
    if (length > INPUT_MOST - out.length)
        length = INPUT_MOST - out.length;
    memcpy(bytes + out.length, packet, length);
    return out.length + length;
}

size_t mutate_input(struct random *random, uint8_t *bytes, size_t length)
{
    uint32_t changes = 1 + random_below(random, 6);
    for (uint32_t i = 0; i < changes && length > 1; i++) {
        /* The headers, which stand in front, are worth more than the payload. */
        uint32_t reach = one_in(random, 2) && length > 80 ? 80 : (uint32_t)length;
        uint32_t at = random_below(random, reach);
        switch (random_below(random, 5)) {
        case 0:
            bytes[at] = (uint8_t)random_below(random, 256);
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << random_below(random, 8));
            break;
        case 2:
            bytes[at] = one_in(random, 2) ? 0 : 255;
            break;
        case 3:
            memmove(bytes + at, bytes + at + 1, length - at - 1);
            length--;
            break;
        default:
            length = one_in(random, 4) ? at + 1 : length;
        }
    }
    return length;
}
