/* What the threads of a running proxy share, and what each has for itself. */
#ifndef FLAN_WORKER_H
#define FLAN_WORKER_H

#include "counters.h"
#include "flan_proxy.h"
#include "icmp.h"
#include "table.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

struct outbound;
struct inbound;
struct messages;

/* How much fits the way to a host, as it was not long ago. */
struct room {
    struct address remote;
    uint32_t bytes;
    uint64_t until; /* as worker_now */
};

/* One thread. Aligned, so that the counters of two are not in one cache line. */
struct worker {
    alignas(128) struct counters counters;
    _Atomic(struct table *) using; /* what must not be freed */
    struct flan_proxy *proxy;
    struct flan_queue queue;
    struct icmp_limiter limiter;
    struct icmp_limiter size_limiter; /* of its own for ICMP_TOO_BIG, which nobody else must use up */
    struct room room;                 /* of the way that was found too narrow last */
    struct outbound *outbound; /* NULL where the thread does not do this direction */
    struct inbound *inbound;
    struct messages *messages; /* of its outbound direction */
    pthread_t thread;
};

struct flan_proxy {
    _Atomic(struct table *) table;
    uint32_t family; /* 4 or 6 */
    uint32_t features;
    atomic_bool stopping;
    atomic_int failure;
    int stop; /* an eventfd that is readable once it stops */
    int raw;
    uint32_t worker_count;
    struct worker *workers;
};

/* The table as it is now; it stays until worker_release. Not to be held while waiting. */
const struct table *worker_table(struct worker *worker);
void worker_release(struct worker *worker);

static inline bool has_feature(const struct worker *worker, uint32_t feature)
{
    return (worker->proxy->features & feature) != 0;
}

/* Nanoseconds of a clock that never goes back, to some milliseconds. */
uint64_t worker_now(void);

/* Sends an ICMP error to the packet's source, if it is due and there are not too many. */
void worker_tell(struct worker *worker, struct icmp_error error, const uint8_t *packet, uint32_t length);

/*
 * Each does one round of work: returns 1 where there was some, 0 where there was none, -errno where the descriptor
 * has failed for good.
 */
int outbound_round(struct worker *worker);
int inbound_round(struct worker *worker);

struct outbound *outbound_new(struct worker *worker);
void outbound_free(struct outbound *outbound);
struct inbound *inbound_new(void);
void inbound_free(struct inbound *inbound);

/* Sets a queue's descriptors up; returns which of `features` they take, or -errno. */
int64_t features_enable(uint32_t family, struct flan_queue queue, uint32_t features);

#endif
