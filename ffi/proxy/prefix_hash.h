/*
 * IPv6 prefixes in one hash table, asked once for each length in use, the longest first: a network gives all hosts
 * subnets of one length, so that a look-up is one probe for any number of them. Filled once.
 */
#ifndef FLAN_PREFIX_HASH_H
#define FLAN_PREFIX_HASH_H

#include "address.h"

#include <stdint.h>

struct prefix_slot {
    struct address prefix;
    uint32_t length;
    uint32_t value; /* 0 where the slot is free */
};

struct prefix_hash {
    struct prefix_slot *slots; /* a power of two, at least twice as many as there are prefixes */
    uint32_t bits;
    uint32_t length_count;
    struct prefix_length {
        struct address mask;
        uint32_t length;
    } lengths[129]; /* those in use, the longest last */
};

/* `hash` is all zeros, and will hold `count` prefixes. 0 or -ENOMEM; prefix_hash_free frees what there is. */
int prefix_hash_begin(struct prefix_hash *hash, uint32_t count);

/* Each prefix once, shorter ones first, host bits 0. `value` is not 0. */
void prefix_hash_add(struct prefix_hash *hash, struct address prefix, uint32_t length, uint32_t value);

void prefix_hash_free(struct prefix_hash *hash);

/* Where the search for a prefix begins: multiplied by odd constants, of which the upper bits depend on all. */
static inline uint32_t prefix_hash_slot(const struct prefix_hash *hash, struct address prefix, uint32_t length)
{
    uint64_t mixed = (prefix.words[0] ^ length) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 32 ^ prefix.words[1]) * 0xd6e8feb86659fd93u;
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93u;
    return (uint32_t)(mixed >> 32 >> (32 - hash->bits));
}

/* The value of the longest prefix around `address`, or 0. */
static inline uint32_t prefix_hash_find(const struct prefix_hash *hash, struct address address)
{
    uint32_t last = (1u << hash->bits) - 1;
    for (uint32_t i = hash->length_count; i-- > 0;) {
        const struct prefix_length *wanted = &hash->lengths[i];
        struct address prefix = address_masked(address, wanted->mask);
        for (uint32_t at = prefix_hash_slot(hash, prefix, wanted->length);; at = (at + 1) & last) {
            const struct prefix_slot *slot = &hash->slots[at];
            if (slot->value == 0)
                break;
            if (slot->length == wanted->length && address_equal(slot->prefix, prefix))
                return slot->value;
        }
    }
    return 0;
}

#endif
