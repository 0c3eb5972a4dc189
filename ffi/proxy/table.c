#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOT (1u << 16)

static uint32_t mask_of(uint32_t length)
{
    return length == 0 ? 0 : htonl(~0u << (32 - length));
}

static bool is_prefix(uint32_t address, uint32_t length)
{
    return length <= 32 && (address & ~mask_of(length)) == 0;
}

/* Shorter prefixes first, so that longer ones overwrite them in the trie. */
static int compare_prefixes(const void *left, const void *right)
{
    const struct flan_route *a = left, *b = right;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    uint32_t x = ntohl(a->destination), y = ntohl(b->destination);
    return x < y ? -1 : x > y;
}

/* The node below an entry, made with what the entry said so far. -E2BIG or -ENOMEM where there is no room for it. */
static int descend(struct table *table, uint32_t *entry, uint32_t *room)
{
    if (*entry & TABLE_NODE)
        return (int)(*entry & ~TABLE_NODE);
    if (table->node_count == TABLE_MAX_NODES)
        return -E2BIG;
    if (table->node_count == *room) {
        uint32_t more = *room == 0 ? 64 : *room * 2;
        void *grown = realloc(table->nodes, more * sizeof *table->nodes);
        if (grown == NULL)
            return -ENOMEM;
        table->nodes = grown;
        *room = more;
    }
    uint32_t node = table->node_count++;
    for (uint32_t i = 0; i < 256; i++)
        table->nodes[node][i] = *entry;
    *entry = TABLE_NODE | node;
    return (int)node;
}

/* Writes `value` to the entries of one level that the prefix covers. */
static void fill(uint32_t *entries, uint32_t first, uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++)
        entries[first + i] = value;
}

static int insert(struct table *table, const struct flan_route *route, uint32_t value, uint32_t *room)
{
    uint32_t address = ntohl(route->destination);
    if (route->length <= 16) {
        fill(table->root, address >> 16, 1u << (16 - route->length), value);
        return 0;
    }
    int node = descend(table, &table->root[address >> 16], room);
    if (node < 0)
        return node;
    if (route->length <= 24) {
        fill(table->nodes[node], address >> 8 & 255, 1u << (24 - route->length), value);
        return 0;
    }
    /* The nodes may move while one is made: its entry is written by number, not by pointer. */
    uint32_t entry = table->nodes[node][address >> 8 & 255];
    int leaf = descend(table, &entry, room);
    if (leaf < 0)
        return leaf;
    table->nodes[node][address >> 8 & 255] = entry;
    fill(table->nodes[leaf], address & 255, 1u << (32 - route->length), value);
    return 0;
}

static int build(struct table *table)
{
    uint32_t room = 0;
    table->root = calloc(ROOT, sizeof *table->root);
    table->hops = calloc(table->route_count + 1, sizeof *table->hops);
    if (table->root == NULL || table->hops == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < table->route_count; i++) {
        const struct flan_route *route = &table->routes[i];
        table->hops[i] = (struct next_hop){.remote = route->remote, .port = htons(route->port)};
        int failed = insert(table, route, i + 1, &room);
        if (failed)
            return failed;
    }
    return 0;
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
    if (!is_prefix(settings->subnet, settings->subnet_length))
        return -EINVAL;
    table->settings = *settings;
    table->subnet_mask = mask_of(settings->subnet_length);
    table->configured = true;
    return 0;
}

/* A sorted copy of `routes` with the last one of each prefix, which is the caller's to free, also after -E2BIG. */
static int sorted_copy(struct flan_route **sorted, uint32_t *kept, const struct flan_route *routes, uint32_t count)
{
    if (count > 2 * FLAN_MAX_ROUTES)
        return -E2BIG;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_prefix(routes[i].destination, routes[i].length))
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

int table_make(struct table **table, const struct flan_settings *settings, const struct flan_route *routes,
               uint32_t count)
{
    struct table *made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int failed = set_settings(made, settings);
    if (!failed)
        failed = sorted_copy(&made->routes, &made->route_count, routes, count);
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
    int failed = sorted_copy(&gone, &gone_count, removed, removed_count);
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
        failed = table_make(table, from->configured ? &from->settings : NULL, all, count + put_count);
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
    free(table->root);
    free(table->nodes);
    free(table);
}
