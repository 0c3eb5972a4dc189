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

static bool is_valid(const struct flan_route *route)
{
    return route->length <= 32 && (ntohl(route->destination) & ~host_mask(route->length)) == 0;
}

/* Of every 16 lengths read one is as it is, and may be nonsense. */
static void take_routes(struct routes *routes, struct input *input)
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
        routes->list[routes->count++] = (struct flan_route){
            .destination = htonl(address), .remote = take_byte(input), .port = (uint16_t)take_word(input), .length = length};
    }
}

static bool are_valid(const struct routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        if (!is_valid(&routes->list[i]))
            return false;
    }
    return true;
}

static const struct flan_route *find_slowly(const struct routes *routes, uint32_t address)
{
    const struct flan_route *best = NULL;
    for (uint32_t i = 0; i < routes->count; i++) {
        const struct flan_route *route = &routes->list[i];
        if (((address ^ ntohl(route->destination)) & host_mask(route->length)) == 0 &&
            (best == NULL || route->length >= best->length))
            best = route;
    }
    return best;
}

static void check_address(const struct table *table, const struct routes *routes, uint32_t address)
{
    const struct next_hop *hop = table_find(table, htonl(address));
    const struct flan_route *route = find_slowly(routes, address);
    REQUIRE((hop == NULL) == (route == NULL));
    REQUIRE(hop == NULL || (hop->remote == route->remote && ntohs(hop->port) == route->port));
    observe_number(hop == NULL ? 0 : hop->remote + 1);
}

/* Looks at both ends of every prefix, and beside them. */
static void check_table(const struct table *table, const struct routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        uint32_t first = ntohl(routes->list[i].destination);
        uint32_t last = first | ~host_mask(routes->list[i].length);
        check_address(table, routes, first);
        check_address(table, routes, first - 1);
        check_address(table, routes, last);
        check_address(table, routes, last + 1);
    }
}

static bool is_among(const struct routes *routes, const struct flan_route *wanted)
{
    for (uint32_t i = 0; i < routes->count; i++) {
        if (routes->list[i].destination == wanted->destination && routes->list[i].length == wanted->length)
            return true;
    }
    return false;
}

static void change(const struct table *table, const struct routes *before, const struct routes *put,
                   const struct routes *removed)
{
    struct table *changed = NULL;
    int failed = table_change(&changed, table, put->list, put->count, removed->list, removed->count);
    REQUIRE(failed == (are_valid(put) && are_valid(removed) ? 0 : -EINVAL));
    if (failed)
        return;
    struct routes after = {.count = 0};
    for (uint32_t i = 0; i < before->count; i++) {
        if (!is_among(removed, &before->list[i]))
            after.list[after.count++] = before->list[i];
    }
    for (uint32_t i = 0; i < put->count; i++)
        after.list[after.count++] = put->list[i];
    check_table(changed, &after);
    table_free(changed);
}

void fuzz_table(struct input *input)
{
    struct routes routes, put, removed;
    struct table *table = NULL;
    take_routes(&routes, input);
    take_routes(&put, input);
    take_routes(&removed, input);
    int failed = table_make(&table, NULL, routes.list, routes.count);
    REQUIRE(failed == (are_valid(&routes) ? 0 : -EINVAL));
    if (failed)
        return;
    check_table(table, &routes);
    change(table, &routes, &put, &removed);
    check_table(table, &routes);
    table_free(table);
}
