/* The handle: what is set from outside, and the threads. */
#define _GNU_SOURCE
#include "flan_proxy.h"

#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const struct table *worker_table(struct worker *worker)
{
    for (;;) {
        struct table *table = atomic_load(&worker->proxy->table);
        atomic_store(&worker->using, table);
        /* Only if it was still the one after we had said that we use it, whoever replaces it has seen that. */
        if (table == atomic_load(&worker->proxy->table))
            return table;
    }
}

void worker_release(struct worker *worker)
{
    atomic_store(&worker->using, NULL);
}

void worker_disable(struct worker *worker, uint32_t feature)
{
    atomic_fetch_and(&worker->proxy->features, ~feature);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void worker_tell(struct worker *worker, struct icmp_error error, const uint8_t *packet, uint32_t length)
{
    uint8_t message[ICMP_MOST];
    if (worker->proxy->raw < 0)
        return;
    uint32_t size = icmp_write(message, error, packet, length);
    if (size == 0)
        return;
    if (!icmp_allowed(&worker->limiter, now())) {
        count(&worker->counters, COUNT_icmp_limited, 1);
        return;
    }
    /* By a raw socket: the kernel drops packets that come out of a TUN with this host's own source (martians). */
    struct sockaddr_in to = {.sin_family = AF_INET};
    memcpy(&to.sin_addr, message + 16, 4);
    if (sendto(worker->proxy->raw, message, size, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) == (ssize_t)size)
        count(&worker->counters, COUNT_icmp_sent, 1);
}

/* The first failure is told, and ends all threads. */
static void fail(struct flan_proxy *proxy, int failure)
{
    int none = 0;
    atomic_compare_exchange_strong(&proxy->failure, &none, failure);
    flan_proxy_stop(proxy);
}

/* Waits for packets or the end. A descriptor that only has an error to tell is read by the next round. */
static int await_work(const struct worker *worker)
{
    struct pollfd entries[3] = {{.fd = worker->proxy->stop, .events = POLLIN}};
    nfds_t entry_count = 1;
    if (worker->outbound != NULL)
        entries[entry_count++] = (struct pollfd){.fd = worker->queue.tun, .events = POLLIN};
    if (worker->inbound != NULL)
        entries[entry_count++] = (struct pollfd){.fd = worker->queue.socket, .events = POLLIN};
    if (poll(entries, entry_count, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    for (nfds_t i = 1; i < entry_count; i++) {
        if (entries[i].revents & POLLNVAL)
            return -EBADF;
    }
    return 0;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct flan_proxy *proxy = worker->proxy;
    while (!atomic_load_explicit(&proxy->stopping, memory_order_relaxed)) {
        int out = worker->outbound == NULL ? 0 : outbound_round(worker);
        int in = worker->inbound == NULL ? 0 : inbound_round(worker);
        int failed = out < 0 ? out : in < 0 ? in : 0;
        if (failed == 0 && out == 0 && in == 0)
            failed = await_work(worker);
        if (failed < 0)
            fail(proxy, failed);
    }
    return NULL;
}

static int add_worker(struct flan_proxy *proxy, struct flan_queue queue, bool out, bool in)
{
    struct worker *worker = &proxy->workers[proxy->worker_count++];
    worker->proxy = proxy;
    worker->queue = queue;
    worker->outbound = out ? outbound_new(worker) : NULL;
    worker->inbound = in ? inbound_new() : NULL;
    return (out && worker->outbound == NULL) || (in && worker->inbound == NULL) ? -ENOMEM : 0;
}

static int set_up(struct flan_proxy *proxy, const struct flan_queue *queues, uint32_t queue_count,
                  const struct flan_options *options)
{
    struct table *empty;
    int failed = table_make(&empty, NULL, NULL, 0);
    if (failed)
        return failed;
    atomic_store(&proxy->table, empty);
    proxy->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (proxy->stop < 0)
        return -errno;
    size_t size = sizeof(struct worker) * queue_count * options->threads;
    if (posix_memalign((void **)&proxy->workers, alignof(struct worker), size) != 0)
        return -ENOMEM;
    memset(proxy->workers, 0, size);
    uint32_t features = options->features & FLAN_FEATURES;
    for (uint32_t i = 0; i < queue_count; i++) {
        int64_t taken = features_enable(queues[i], features);
        if (taken < 0)
            return (int)taken;
        features &= (uint32_t)taken;
        bool together = options->threads == 1;
        failed = add_worker(proxy, queues[i], true, together);
        if (!failed && !together)
            failed = add_worker(proxy, queues[i], false, true);
        if (failed)
            return failed;
    }
    atomic_store(&proxy->features, features);
    return 0;
}

int flan_proxy_open(const struct flan_queue *queues, uint32_t queue_count, const struct flan_options *options,
                    struct flan_proxy **proxy)
{
    if (queue_count < 1 || queue_count > FLAN_MAX_QUEUES || options->threads < 1 || options->threads > 2)
        return -EINVAL;
    struct flan_proxy *made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->stop = -1;
    made->raw = options->raw;
    int failed = set_up(made, queues, queue_count, options);
    if (failed) {
        flan_proxy_close(made);
        return failed;
    }
    *proxy = made;
    return 0;
}

uint32_t flan_proxy_features(const struct flan_proxy *proxy)
{
    return atomic_load(&proxy->features);
}

/* Puts a table in the place of the old one, and frees that as soon as no thread uses it: after one round of each. */
static void replace_table(struct flan_proxy *proxy, struct table *table)
{
    struct table *old = atomic_exchange(&proxy->table, table);
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        while (atomic_load(&proxy->workers[i].using) == old)
            sched_yield();
    }
    table_free(old);
}

int flan_proxy_configure(struct flan_proxy *proxy, const struct flan_settings *settings)
{
    const struct table *now = atomic_load(&proxy->table);
    struct table *table;
    int failed = table_make(&table, settings, now->routes, now->route_count);
    if (!failed)
        replace_table(proxy, table);
    return failed;
}

int flan_proxy_replace_routes(struct flan_proxy *proxy, const struct flan_route *routes, uint32_t route_count)
{
    const struct table *now = atomic_load(&proxy->table);
    struct table *table;
    int failed = table_make(&table, now->configured ? &now->settings : NULL, routes, route_count);
    if (!failed)
        replace_table(proxy, table);
    return failed;
}

int flan_proxy_change_routes(struct flan_proxy *proxy, const struct flan_route *put, uint32_t put_count,
                             const struct flan_route *removed, uint32_t removed_count)
{
    struct table *table;
    int failed = table_change(&table, atomic_load(&proxy->table), put, put_count, removed, removed_count);
    if (!failed)
        replace_table(proxy, table);
    return failed;
}

int flan_proxy_run(struct flan_proxy *proxy)
{
    uint32_t started = 0;
    while (started < proxy->worker_count) {
        struct worker *worker = &proxy->workers[started];
        int failed = pthread_create(&worker->thread, NULL, work, worker);
        if (failed) {
            fail(proxy, -failed);
            break;
        }
        started++;
    }
    for (uint32_t i = 0; i < started; i++)
        pthread_join(proxy->workers[i].thread, NULL);
    return atomic_load(&proxy->failure);
}

void flan_proxy_stop(struct flan_proxy *proxy)
{
    atomic_store(&proxy->stopping, true);
    eventfd_write(proxy->stop, 1);
}

uint32_t flan_proxy_counters(const struct flan_proxy *proxy, uint64_t *values, uint32_t value_count)
{
    for (uint32_t i = 0; i < value_count && i < COUNTERS; i++) {
        values[i] = 0;
        for (uint32_t w = 0; w < proxy->worker_count; w++)
            values[i] += atomic_load_explicit(&proxy->workers[w].counters.values[i], memory_order_relaxed);
    }
    return COUNTERS;
}

const char *flan_proxy_counter_name(uint32_t index)
{
    static const char *const names[] = {
#define FLAN_COUNTER_TEXT(name) #name,
        FLAN_COUNTERS(FLAN_COUNTER_TEXT)
#undef FLAN_COUNTER_TEXT
    };
    return index < COUNTERS ? names[index] : NULL;
}

void flan_proxy_close(struct flan_proxy *proxy)
{
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        outbound_free(proxy->workers[i].outbound);
        inbound_free(proxy->workers[i].inbound);
    }
    free(proxy->workers);
    table_free(atomic_load(&proxy->table));
    if (proxy->stop >= 0)
        close(proxy->stop);
    free(proxy);
}
