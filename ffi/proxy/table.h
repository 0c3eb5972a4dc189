/*
 * The routes with the settings that go with them, made once and never changed. A look-up takes the longest prefix, in a
 * time that does not depend on how many there are.
 */
#ifndef FLAN_TABLE_H
#define FLAN_TABLE_H

#include "address.h"
#include "flan_proxy.h"
#include "prefix_hash.h"
#include "trie.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>

struct next_hop {
    struct address remote;
    uint16_t port; /* network byte order */
};

struct table {
    struct flan_settings settings;
    uint32_t family;        /* 4 or 6 */
    struct address address; /* of this host in the overlay */
    struct address subnet;
    struct address subnet_mask;
    bool configured;
    struct flan_route *routes; /* by length, then destination */
    uint32_t route_count;
    struct next_hop *hops;   /* one a route; the number of a route plus 1 is what the look-ups give */
    struct trie trie;        /* of IPv4 */
    struct prefix_hash hash; /* of IPv6 */
};

/* What a table is made of. `settings` may be NULL. */
struct contents {
    const struct flan_settings *settings;
    const struct flan_route *routes;
    uint32_t count;
};

/*
 * A table of its own copy of the routes, in any order, of which the last of one prefix counts. 0, -EINVAL, -E2BIG or
 * -ENOMEM.
 */
int table_make(struct table **table, uint32_t family, struct contents contents);

/* A table like `from`, without `removed` and with `put`. */
int table_change(struct table **table, const struct table *from, const struct flan_route *put, uint32_t put_count,
                 const struct flan_route *removed, uint32_t removed_count);

void table_free(struct table *table);

/* The way to an address, or NULL. */
static inline const struct next_hop *table_find(const struct table *table, struct address address)
{
    uint32_t found;
    if (table->family == 6) {
        found = prefix_hash_find(&table->hash, address);
    } else {
        uint32_t first; /* the four bytes of an IPv4 address */
        memcpy(&first, &address, sizeof first);
        found = trie_find(&table->trie, ntohl(first));
    }
    return found == 0 ? NULL : &table->hops[found - 1];
}

static inline bool table_owns(const struct table *table, struct address address)
{
    return table->configured && address_equal(address_masked(address, table->subnet_mask), table->subnet);
}

#endif
