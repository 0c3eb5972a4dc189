/* Any routes, put and removed: what a table finds is what a look at every route finds. */
#include "fuzz.h"

#include "table.h"

#include <errno.h>

#define MOST_ROUTES 48

struct routes {
    struct flan_route list[2 * MOST_ROUTES];
    uint32_t count;
};

static uint32_t host_mask(uint32_t length)
{
    return length == 0 ? 0 : length >= 32 ? ~0u : ~(~0u >> length);
}

/*
 * Four bytes of an address are read, which stand first in it or, in IPv6, behind four others: there the lengths are
 * greater by as many bits.
 */
struct place {
    uint32_t family, at;
};

static void put_number(struct place place, uint8_t *address, uint32_t number)
{
    memset(address, 0, FLAN_ADDRESS);
    memset(address, 0xfd, place.at);
    write32(address + place.at, number);
}

static uint32_t length_in(struct place place, const struct flan_route *route)
{
    return route->length - 8 * place.at;
}

static bool is_valid(struct place place, const struct flan_route *route)
{
    uint32_t most = place.family == 6 ? 128 : 32;
    return route->length <= most && (read32(route->destination + place.at) & ~host_mask(length_in(place, route))) == 0;
}

/* Of every 16 lengths read one is as it is, and may be nonsense. */
static void take_routes(struct place place, struct routes *routes, struct input *input)
{
    uint32_t count = take_byte(input) % MOST_ROUTES;
    routes->count = 0;
    while (routes->count < count && input->left > 0) {
        uint8_t length = take_byte(input);
        uint32_t address = take_word(input) << 16 | take_word(input);
        if (length % 16 != 15) {
            length %= 33;
            address &= host_mask(length);
        }
        struct flan_route *route = &routes->list[routes->count++];
        *route = (struct flan_route){.length = (uint8_t)(length + 8 * place.at > 255 ? 255 : length + 8 * place.at)};
        put_number(place, route->destination, address);
        put_number(place, route->remote, take_byte(input));
        route->port = (uint16_t)take_word(input);
    }
}

static bool are_valid(struct place place, const struct routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        if (!is_valid(place, &routes->list[i]))
            return false;
    }
    return true;
}

static const struct flan_route *find_slowly(struct place place, const struct routes *routes, uint32_t address)
{
    const struct flan_route *best = NULL;
    for (uint32_t i = 0; i < routes->count; i++) {
        const struct flan_route *route = &routes->list[i];
        if (((address ^ read32(route->destination + place.at)) & host_mask(length_in(place, route))) == 0 &&
            (best == NULL || route->length >= best->length))
            best = route;
    }
    return best;
}

static void check_address(struct place place, const struct table *table, const struct routes *routes, uint32_t address)
{
    uint8_t bytes[FLAN_ADDRESS];
    put_number(place, bytes, address);
    const struct next_hop *hop = table_find(table, address_read(bytes, FLAN_ADDRESS));
    const struct flan_route *route = find_slowly(place, routes, address);
    REQUIRE((hop == NULL) == (route == NULL));
    REQUIRE(hop == NULL || (memcmp(&hop->remote, route->remote, FLAN_ADDRESS) == 0 && ntohs(hop->port) == route->port));
    observe_number(hop == NULL ? 0 : read32(route->remote + place.at) + 1u);
}

/* Looks at both ends of every prefix, and beside them. */
static void check_table(struct place place, const struct table *table, const struct routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        uint32_t first = read32(routes->list[i].destination + place.at);
        uint32_t last = first | ~host_mask(length_in(place, &routes->list[i]));
        check_address(place, table, routes, first);
        check_address(place, table, routes, first - 1);
        check_address(place, table, routes, last);
        check_address(place, table, routes, last + 1);
    }
}

static bool is_among(const struct routes *routes, const struct flan_route *wanted)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        if (memcmp(routes->list[i].destination, wanted->destination, FLAN_ADDRESS) == 0 &&
            routes->list[i].length == wanted->length)
            return true;
    }
    return false;
}

static void change(struct place place, const struct table *table, const struct routes *before, const struct routes *put,
                   const struct routes *removed)
{
    struct table *changed = NULL;
    int failed = table_change(&changed, table, put->list, put->count, removed->list, removed->count);
    REQUIRE(failed == (are_valid(place, put) && are_valid(place, removed) ? 0 : -EINVAL));
    if (failed)
        return;
    struct routes after = {.count = 0};
    for (uint32_t i = 0; i < before->count; i++) {
        if (!is_among(removed, &before->list[i]))
            after.list[after.count++] = before->list[i];
    }
    for (uint32_t i = 0; i < put->count; i++)
        after.list[after.count++] = put->list[i];
    check_table(place, changed, &after);
    table_free(changed);
}

void fuzz_table(struct input *input)
{
    struct routes routes, put, removed;
    struct table *table = NULL;
    bool ipv6 = take_byte(input) & 1;
    struct place place = {ipv6 ? 6 : 4, ipv6 ? 4 : 0};
    take_routes(place, &routes, input);
    take_routes(place, &put, input);
    take_routes(place, &removed, input);
    int failed = table_make(&table, place.family, (struct contents){NULL, routes.list, routes.count});
    REQUIRE(failed == (are_valid(place, &routes) ? 0 : -EINVAL));
    if (failed)
        return;
    check_table(place, table, &routes);
    change(place, table, &routes, &put, &removed);
    check_table(place, table, &routes);
    table_free(table);
}
