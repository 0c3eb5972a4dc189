#include "trie.h"

#include <errno.h>
#include <stdlib.h>

#define ROOT (1u << 16)

int trie_begin(struct trie *trie)
{
    trie->root = calloc(ROOT, sizeof *trie->root);
    return trie->root == NULL ? -ENOMEM : 0;
}

/* The node below an entry, made with what the entry said so far. -E2BIG or -ENOMEM where there is no room for it. */
static int descend(struct trie *trie, uint32_t *entry)
{
    if (*entry & TRIE_NODE)
        return (int)(*entry & ~TRIE_NODE);
    if (trie->node_count == TRIE_MAX_NODES)
        return -E2BIG;
    if (trie->node_count == trie->room) {
        uint32_t more = trie->room == 0 ? 64 : trie->room * 2;
        void *grown = realloc(trie->nodes, more * sizeof *trie->nodes);
        if (grown == NULL)
            return -ENOMEM;
        trie->nodes = grown;
        trie->room = more;
    }
    uint32_t node = trie->node_count++;
    for (uint32_t i = 0; i < 256; i++)
        trie->nodes[node][i] = *entry;
    *entry = TRIE_NODE | node;
    return (int)node;
}

/* Writes `value` to the entries of one level that the prefix covers. */
static void fill(uint32_t *entries, uint32_t first, uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++)
        entries[first + i] = value;
}

int trie_add(struct trie *trie, uint32_t address, uint32_t length, uint32_t value)
{
    if (length <= 16) {
        fill(trie->root, address >> 16, 1u << (16 - length), value);
        return 0;
    }
    int node = descend(trie, &trie->root[address >> 16]);
    if (node < 0)
        return node;
    if (length <= 24) {
        fill(trie->nodes[node], address >> 8 & 255, 1u << (24 - length), value);
        return 0;
    }
    /* The nodes may move while one is made: its entry is written by number, not by pointer. */
    uint32_t entry = trie->nodes[node][address >> 8 & 255];
    int leaf = descend(trie, &entry);
    if (leaf < 0)
        return leaf;
    trie->nodes[node][address >> 8 & 255] = entry;
    fill(trie->nodes[leaf], address & 255, 1u << (32 - length), value);
    return 0;
}

void trie_free(struct trie *trie)
{
    free(trie->root);
    free(trie->nodes);
}
