/*
 * The routes with the settings that go with them, made once and never changed: a trie of three levels (16, 8 and 8
 * bits), so that a look-up is at most three loads for any number of routes, and the longest prefix wins.
 */
#ifndef FLAN_TABLE_H
#define FLAN_TABLE_H

#include "flan_proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>

struct next_hop {
    uint32_t remote; /* network byte order */
    uint16_t port;   /* network byte order */
    uint16_t unused;
};

struct table {
    struct flan_settings settings;
    uint32_t subnet_mask; /* network byte order */
    bool configured;
    struct flan_route *routes; /* by length, then destination */
    uint32_t route_count;
    struct next_hop *hops;     /* one a route */
    uint32_t *root;            /* 65,536 entries */
    uint32_t (*nodes)[256];
    uint32_t node_count;
};

/* More would take more than 128 MiB: as many prefixes longer than /24, or /24s with such in them. */
#define TABLE_MAX_NODES (1u << 17)

/* An entry is 0 for none, the number of a route plus 1, or this bit and the number of a node. */
#define TABLE_NODE 0x80000000u

/*
 * A table of its own copy of `routes`, in any order, of which the last of one prefix counts. 0, -EINVAL, -E2BIG or
 * -ENOMEM. `settings` may be NULL.
 */
int table_make(struct table **table, const struct flan_settings *settings, const struct flan_route *routes,
               uint32_t count);

/* A table like `from`, without `removed` and with `put`. */
int table_change(struct table **table, const struct table *from, const struct flan_route *put, uint32_t put_count,
                 const struct flan_route *removed, uint32_t removed_count);

void table_free(struct table *table);

/* The way to `address` (network byte order), or NULL. */
static inline const struct next_hop *table_find(const struct table *table, uint32_t address)
{
    uint32_t host = ntohl(address);
    uint32_t entry = table->root[host >> 16];
    if (entry & TABLE_NODE) {
        entry = table->nodes[entry & ~TABLE_NODE][host >> 8 & 255];
        if (entry & TABLE_NODE)
            entry = table->nodes[entry & ~TABLE_NODE][host & 255];
    }
    return entry == 0 ? NULL : &table->hops[entry - 1];
}

static inline bool table_owns(const struct table *table, uint32_t address)
{
    return table->configured && (address & table->subnet_mask) == table->settings.subnet;
}

#endif
