#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_prefix(uint32_t family, const uint8_t *address, uint32_t length)
{
    struct address whole = address_read(address, FLAN_ADDRESS);
    return length <= (family == 6 ? 128 : 32) && address_equal(whole, address_masked(whole, address_mask(length)));
}

/* Shorter prefixes first, so that longer ones overwrite them. */
static int compare_prefixes(const void *left, const void *right)
{
    const struct flan_route *a = left, *b = right;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return memcmp(a->destination, b->destination, FLAN_ADDRESS);
}

/* The look-up of one family; routes are sorted, and none is there twice. */
static int build(struct table *table)
{
    table->hops = calloc(table->route_count + 1, sizeof *table->hops);
    if (table->hops == NULL)
        return -ENOMEM;
    bool ipv6 = table->family == 6;
    int failed = ipv6 ? prefix_hash_begin(&table->hash, table->route_count) : trie_begin(&table->trie);
    for (uint32_t i = 0; i < table->route_count && !failed; i++) {
        const struct flan_route *route = &table->routes[i];
        table->hops[i] = (struct next_hop){address_read(route->remote, FLAN_ADDRESS), htons(route->port)};
        if (ipv6)
            prefix_hash_add(&table->hash, address_read(route->destination, FLAN_ADDRESS), route->length, i + 1);
        else
            failed = trie_add(&table->trie, read32(route->destination), route->length, i + 1);
    }
    return failed;
}

/* Merge sort, which is stable: of one prefix the later one stays behind. `spare` is as large as `routes`. */
static void merge_sort(struct flan_route *routes, struct flan_route *spare, uint32_t count)
{
    if (count < 2)
        return;
    uint32_t half = count / 2, left = 0, right = half;
    merge_sort(routes, spare, half);
    merge_sort(routes + half, spare, count - half);
    for (uint32_t i = 0; i < count; i++) {
        bool take_left = right == count || (left < half && compare_prefixes(&routes[left], &routes[right]) <= 0);
        spare[i] = take_left ? routes[left++] : routes[right++];
    }
    memcpy(routes, spare, count * sizeof *routes);
}

static int set_settings(struct table *table, const struct flan_settings *settings)
{
    if (settings == NULL)
        return 0;
    if (!is_prefix(table->family, settings->subnet, settings->subnet_length))
        return -EINVAL;
    table->settings = *settings;
    table->address = address_read(settings->address, FLAN_ADDRESS);
    table->subnet = address_read(settings->subnet, FLAN_ADDRESS);
    table->subnet_mask = address_mask(settings->subnet_length);
    table->configured = true;
    return 0;
}

/* A sorted copy of `routes` with the last one of each prefix, which is the caller's to free, also after -E2BIG. */
static int sorted_copy(uint32_t family, struct flan_route **sorted, uint32_t *kept, const struct flan_route *routes,
                       uint32_t count)
{
    if (count > 2 * FLAN_MAX_ROUTES)
        return -E2BIG;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_prefix(family, routes[i].destination, routes[i].length))
            return -EINVAL;
    }
    struct flan_route *copy = calloc(count + 1, sizeof *copy);
    struct flan_route *spare = calloc(count + 1, sizeof *spare);
    if (copy == NULL || spare == NULL) {
        free(copy);
        free(spare);
        return -ENOMEM;
    }
    if (count > 0)
        memcpy(copy, routes, count * sizeof *copy);
    merge_sort(copy, spare, count);
    free(spare);
    *kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_replaced = i + 1 < count && compare_prefixes(&copy[i], &copy[i + 1]) == 0;
        if (!is_replaced)
            copy[(*kept)++] = copy[i];
    }
    *sorted = copy;
    /* Those that replace others do not count: one route of a full table can be exchanged. */
    return *kept > FLAN_MAX_ROUTES ? -E2BIG : 0;
}

int table_make(struct table **table, uint32_t family, struct contents contents)
{
    struct table *made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->family = family;
    int failed = set_settings(made, contents.settings);
    if (!failed)
        failed = sorted_copy(family, &made->routes, &made->route_count, contents.routes, contents.count);
    if (!failed)
        failed = build(made);
    if (failed) {
        table_free(made);
        return failed;
    }
    *table = made;
    return 0;
}

/* Copies the routes of `from` without those in `removed`, both sorted; returns how many there are. */
static uint32_t copy_without(struct flan_route *to, const struct table *from, const struct flan_route *removed,
                             uint32_t removed_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0, r = 0; i < from->route_count; i++) {
        const struct flan_route *route = &from->routes[i];
        while (r < removed_count && compare_prefixes(&removed[r], route) < 0)
            r++;
        if (r == removed_count || compare_prefixes(&removed[r], route) != 0)
            to[count++] = *route;
    }
    return count;
}

int table_change(struct table **table, const struct table *from, const struct flan_route *put, uint32_t put_count,
                 const struct flan_route *removed, uint32_t removed_count)
{
    if (put_count > FLAN_MAX_ROUTES)
        return -E2BIG;
    struct flan_route *gone = NULL;
    uint32_t gone_count = 0;
    int failed = sorted_copy(from->family, &gone, &gone_count, removed, removed_count);
    if (failed) {
        free(gone);
        return failed;
    }
    struct flan_route *all = calloc(from->route_count + put_count + 1, sizeof *all);
    failed = -ENOMEM;
    if (all != NULL) {
        uint32_t count = copy_without(all, from, gone, gone_count);
        if (put_count > 0)
            memcpy(all + count, put, put_count * sizeof *put);
        failed = table_make(table, from->family,
                            (struct contents){from->configured ? &from->settings : NULL, all, count + put_count});
    }
    free(gone);
    free(all);
    return failed;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    free(table->routes);
    free(table->hops);
    trie_free(&table->trie);
    prefix_hash_free(&table->hash);
    free(table);
}
