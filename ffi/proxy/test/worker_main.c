/*
 * The workers with a scripted kernel: reads a script from stdin and does what its lines say, in order. Those about
 * the kernel are in worker_script.c; the others:
 *   settings ADDRESS SUBNET LENGTH CHECK | route DESTINATION LENGTH REMOTE PORT
 *   open FEATURES    opens the proxy, and sets it up with the settings and routes so far: features F, or failed ERRNO
 *   set              sets it up anew
 *   out | in         one round of that direction: round NUMBER
 *   run              carries until nothing is left, and is then stopped from here: ran NUMBER
 *   flood TIMES      carries the same again and again while each route goes to and fro between two hosts
 *   counters         counter NAME VALUE, for all that are not 0
 */
#define _GNU_SOURCE
#include "flan_proxy.h"
#include "kernel.h"
#include "worker.h"
#include "worker_script.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROUTES 4096

static struct flan_settings settings;
static bool is_configured;
static struct flan_route routes[MOST_ROUTES];
static uint32_t route_count;
static struct flan_proxy *proxy;

static void set_up(void)
{
    if (is_configured)
        expect(flan_proxy_configure(proxy, &settings) == 0, "the settings are taken");
    expect(flan_proxy_replace_routes(proxy, routes, route_count) == 0, "the routes are taken");
}

static void open_proxy(uint32_t features)
{
    struct flan_queue queue = {.tun = FD_TUN, .socket = FD_SOCKET};
    struct flan_options options = {.raw = FD_RAW, .features = features, .family = kernel.family};
    int failed = flan_proxy_open(&queue, 1, &options, &proxy);
    if (failed) {
        tell("failed %s", strerrorname_np(-failed));
        return;
    }
    tell("features %#x", flan_proxy_features(proxy));
    set_up();
}

static void do_round(bool out)
{
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        struct worker *worker = &proxy->workers[i];
        if ((worker->outbound != NULL) == out)
            tell("round %d", out ? outbound_round(worker) : inbound_round(worker));
    }
}

struct running {
    int result;
    bool over; /* under the kernel's lock */
};

static void *run(void *argument)
{
    struct running *running = argument;
    int result = flan_proxy_run(proxy);
    kernel_lock();
    running->result = result;
    running->over = true;
    kernel_wake();
    kernel_unlock();
    return NULL;
}

static void run_until_idle(void)
{
    struct running running = {0};
    pthread_t thread;
    expect(pthread_create(&thread, NULL, run, &running) == 0, "there can be threads");
    kernel_await_idle(proxy->worker_count, &running.over);
    flan_proxy_stop(proxy);
    pthread_join(thread, NULL);
    tell("ran %d", running.result);
}

static uint64_t packets_so_far(void)
{
    uint64_t values[COUNTERS];
    flan_proxy_counters(proxy, values, COUNTERS);
    return values[COUNT_in_packets] < values[COUNT_out_packets] ? values[COUNT_in_packets] : values[COUNT_out_packets];
}

/* So many changes, or more, until both directions have carried as many packets meanwhile. */
static void run_in_flood(uint64_t times)
{
    struct running running = {0};
    pthread_t thread;
    kernel.flood = true;
    expect(pthread_create(&thread, NULL, run, &running) == 0, "there can be threads");
    for (uint64_t i = 0; i < times || packets_so_far() < times; i++) {
        for (uint32_t r = 0; r < route_count; r++)
            routes[r].remote[3] ^= i % 3 == 0;
        if (i % 3 == 0)
            expect(flan_proxy_replace_routes(proxy, routes, route_count) == 0, "routes are replaced");
        else if (i % 3 == 1)
            expect(flan_proxy_change_routes(proxy, routes, route_count, routes, 1) == 0, "routes are changed");
        else
            expect(flan_proxy_configure(proxy, &settings) == 0, "settings are changed");
    }
    flan_proxy_stop(proxy);
    pthread_join(thread, NULL);
    kernel.flood = false;
    tell("ran %d", running.result);
}

static void tell_counters(void)
{
    uint64_t values[COUNTERS] = {0};
    if (proxy != NULL)
        flan_proxy_counters(proxy, values, COUNTERS);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        if (values[i] != 0)
            tell("counter %s %llu", flan_proxy_counter_name(i), (unsigned long long)values[i]);
    }
}

static void take_bytes_of_address(struct words *words, uint8_t *bytes)
{
    struct address address = take_address(words);
    memcpy(bytes, &address, FLAN_ADDRESS);
}

static void take_settings(struct words *words)
{
    take_bytes_of_address(words, settings.address);
    take_bytes_of_address(words, settings.subnet);
    settings.subnet_length = (uint32_t)take_number(words, 128);
    settings.check_source = (uint32_t)take_number(words, 1);
    is_configured = true;
}

static void take_route(struct words *words)
{
    expect(route_count < MOST_ROUTES, "there are few routes");
    struct flan_route *route = &routes[route_count++];
    take_bytes_of_address(words, route->destination);
    route->length = (uint8_t)take_number(words, 128);
    take_bytes_of_address(words, route->remote);
    route->port = (uint16_t)take_number(words, UINT16_MAX);
}

static void take_line(struct words words)
{
    const char *what = take_word(&words);
    if (script_kernel(what, &words))
        return;
    if (strcmp(what, "settings") == 0)
        take_settings(&words);
    else if (strcmp(what, "route") == 0)
        take_route(&words);
    else if (strcmp(what, "open") == 0)
        open_proxy((uint32_t)take_number(&words, UINT32_MAX));
    else if (strcmp(what, "set") == 0)
        set_up();
    else if (strcmp(what, "out") == 0 || strcmp(what, "in") == 0)
        do_round(strcmp(what, "out") == 0);
    else if (strcmp(what, "run") == 0)
        run_until_idle();
    else if (strcmp(what, "flood") == 0)
        run_in_flood(take_number(&words, UINT32_MAX));
    else if (strcmp(what, "counters") == 0)
        tell_counters();
    else
        expect(false, "a known word begins a line");
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0)
        take_line((struct words){line});
    free(line);
    if (proxy != NULL)
        flan_proxy_close(proxy);
    for (uint32_t i = 0; i < kernel.frames.count; i++)
        free(kernel.frames.list[i].bytes);
    for (uint32_t i = 0; i < kernel.datagrams.count; i++)
        free(kernel.datagrams.list[i].bytes);
    expect(kernel.probes == 0, "every socket is closed");
    return fflush(stdout) == 0 ? 0 : 1;
}
