/* Random packets, as parts of inputs. */
#ifndef FLAN_FUZZ_PACKET_H
#define FLAN_FUZZ_PACKET_H

#include "fuzz.h"

struct out {
    uint8_t *bytes;
    size_t length;
};

bool one_in(struct random *random, uint32_t many);
void put_byte(struct out *out, uint32_t value);
void put_word(struct out *out, uint32_t value);
void put_random(struct random *random, struct out *out, uint32_t length);

/* Lengths of payloads: mostly short, now and then as long as a packet can be. */
uint32_t any_length(struct random *random);

/* What the packets of one flow have in common, and how far it has come. */
struct flow {
    bool ipv6;
    uint8_t protocol, tos, ttl, options, tcp_options, flags;
    uint16_t fragment, from, to;
    uint32_t source, destination, sequence, size;
};

struct flow random_flow(struct random *random);

/* The length of a packet's headers before TCP's or UDP's. */
uint32_t flow_header(const struct flow *flow);

/* A packet without checksums, which the harness puts right. */
void put_packet(struct random *random, struct out *out, const struct flow *flow, uint32_t payload);

#endif
