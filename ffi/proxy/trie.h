/*
 * IPv4 prefixes in a trie of three levels (16, 8 and 8 bits), so that a look-up is at most three loads for any number of
 * them, and the longest one wins. Filled once, shorter prefixes first.
 */
#ifndef FLAN_TRIE_H
#define FLAN_TRIE_H

#include <stdint.h>

struct trie {
    uint32_t *root; /* 65,536 entries */
    uint32_t (*nodes)[256];
    uint32_t node_count;
    uint32_t room;
};

/* More would take more than 128 MiB: as many prefixes longer than /24, or /24s with such in them. */
#define TRIE_MAX_NODES (1u << 17)

/* An entry is 0 for none, a value, or this bit and the number of a node. */
#define TRIE_NODE 0x80000000u

/* `trie` is all zeros. 0 or -ENOMEM; trie_free frees what there is, also after an error. */
int trie_begin(struct trie *trie);

/* `address` is in the host's byte order, `value` 1 to TRIE_NODE - 1. 0, -E2BIG or -ENOMEM. */
int trie_add(struct trie *trie, uint32_t address, uint32_t length, uint32_t value);

void trie_free(struct trie *trie);

/* The value of the longest prefix around `address` (host's byte order), or 0. */
static inline uint32_t trie_find(const struct trie *trie, uint32_t address)
{
    uint32_t entry = trie->root[address >> 16];
    if (entry & TRIE_NODE) {
        entry = trie->nodes[entry & ~TRIE_NODE][address >> 8 & 255];
        if (entry & TRIE_NODE)
            entry = trie->nodes[entry & ~TRIE_NODE][address & 255];
    }
    return entry;
}

#endif
