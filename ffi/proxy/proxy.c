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

uint64_t worker_now(void)
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
    if (!icmp_allowed(error.reason == ICMP_TOO_BIG ? &worker->size_limiter : &worker->limiter, worker_now())) {
        count(&worker->counters, COUNT_icmp_limited, 1);
        return;
    }
    /* By a raw socket: the kernel drops packets that come out of a TUN with this host's own source (martians). */
    union endpoint to = endpoint_of(worker->proxy->family, destination_of(message), 0);
    if (sendto(worker->proxy->raw, message, size, MSG_DONTWAIT, &to.any, endpoint_size(&to)) == (ssize_t)size)
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
    struct pollfd entries[2] = {
        {.fd = worker->outbound != NULL ? worker->queue.tun : worker->queue.socket, .events = POLLIN},
        {.fd = worker->proxy->stop, .events = POLLIN},
    };
    if (poll(entries, 2, -1) < 0) {
        if (errno != EINTR)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* no memory: it may come */
        return 0;
    }
    return entries[0].revents & POLLNVAL ? -EBADF : 0;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct flan_proxy *proxy = worker->proxy;
    while (!atomic_load_explicit(&proxy->stopping, memory_order_relaxed)) {
        int done = worker->outbound != NULL ? outbound_round(worker) : inbound_round(worker);
        if (done == 0)
            done = await_work(worker);
        if (done < 0)
            fail(proxy, done);
    }
    return NULL;
}

static int add_worker(struct flan_proxy *proxy, struct flan_queue queue, bool out)
{
    struct worker *worker = &proxy->workers[proxy->worker_count++];
    worker->proxy = proxy;
    worker->queue = queue;
    worker->outbound = out ? outbound_new(worker) : NULL;
    worker->inbound = out ? NULL : inbound_new();
    return worker->outbound == NULL && worker->inbound == NULL ? -ENOMEM : 0;
}

static int set_up(struct flan_proxy *proxy, const struct flan_queue *queues, uint32_t queue_count,
                  const struct flan_options *options)
{
    struct table *empty;
    int failed = table_make(&empty, proxy->family, (struct contents){0});
    if (failed)
        return failed;
    atomic_store(&proxy->table, empty);
    proxy->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (proxy->stop < 0)
        return -errno;
    size_t size = sizeof(struct worker) * queue_count * 2;
    if (posix_memalign((void **)&proxy->workers, alignof(struct worker), size) != 0)
        return -ENOMEM;
    memset(proxy->workers, 0, size);
    uint32_t features = options->features & FLAN_FEATURES;
    for (uint32_t i = 0; i < queue_count; i++) {
        int64_t taken = features_enable(proxy->family, queues[i], features);
        if (taken < 0)
            return (int)taken;
        features &= (uint32_t)taken;
        /* A thread a direction: a full socket must not keep packets from coming in, and it is faster, too. */
        failed = add_worker(proxy, queues[i], true);
        if (!failed)
            failed = add_worker(proxy, queues[i], false);
        if (failed)
            return failed;
    }
    proxy->features = features;
    return 0;
}

int flan_proxy_open(const struct flan_queue *queues, uint32_t queue_count, const struct flan_options *options,
                    struct flan_proxy **proxy)
{
    if (queue_count < 1 || queue_count > FLAN_MAX_QUEUES || (options->family != 4 && options->family != 6))
        return -EINVAL;
    struct flan_proxy *made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->stop = -1;
    made->raw = options->raw;
    made->family = options->family;
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
    return proxy->features;
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
    int failed = table_make(&table, now->family, (struct contents){settings, now->routes, now->route_count});
    if (!failed)
        replace_table(proxy, table);
    return failed;
}

int flan_proxy_replace_routes(struct flan_proxy *proxy, const struct flan_route *routes, uint32_t route_count)
{
    const struct table *now = atomic_load(&proxy->table);
    struct table *table;
    int failed = table_make(&table, now->family,
                            (struct contents){now->configured ? &now->settings : NULL, routes, route_count});
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
