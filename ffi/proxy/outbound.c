/* From the TUN to other hosts. */
#define _GNU_SOURCE
#include "messages.h"
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A round ends at so many frames or bytes, so that the first one does not wait for long. */
#define ROUND_FRAMES 64
#define ROUND_BYTES (96u << 10)
#define FRAME (sizeof(struct virtio_net_hdr) + MAX_PACKET)

struct outbound {
    struct messages messages;
    uint8_t frames[ROUND_BYTES + 2 * FRAME];
};

struct outbound *outbound_new(struct worker *worker)
{
    struct outbound *outbound = calloc(1, sizeof *outbound);
    if (outbound != NULL)
        worker->messages = &outbound->messages;
    return outbound;
}

void outbound_free(struct outbound *outbound)
{
    free(outbound);
}

/* Whether a packet from the TUN can be carried as far as its header tells. */
static bool is_carried(struct worker *worker, const uint8_t *packet, uint32_t length)
{
    enum packet_fault fault = packet_check(worker->proxy->family, packet, length);
    bool malformed = fault != PACKET_OK && fault != PACKET_TTL && fault != PACKET_CHECKSUM;
    if (fault == PACKET_VERSION)
        count(&worker->counters, worker->proxy->family == 6 ? COUNT_out_drop_not_ipv6 : COUNT_out_drop_not_ipv4, 1);
    else if (malformed)
        count(&worker->counters, COUNT_out_drop_malformed, 1);
    else if (is_multicast(packet))
        count(&worker->counters, COUNT_out_drop_multicast, 1);
    else
        return true;
    return false;
}

/* Where a packet goes, as a copy: the table must not be held while a send waits. False where it goes nowhere. */
static bool find_way(struct worker *worker, struct next_hop *hop, const uint8_t *packet, uint32_t length)
{
    const struct table *table = worker_table(worker);
    const struct next_hop *found = table_find(table, destination_of(packet));
    bool expired = ttl_of(packet) <= 1;
    if (found == NULL) {
        count(&worker->counters, COUNT_out_drop_no_route, 1);
        worker_tell(worker, (struct icmp_error){ICMP_NET_UNREACHABLE, 0, table->address}, packet, length);
    } else if (expired) {
        count(&worker->counters, COUNT_out_drop_ttl, 1);
        worker_tell(worker, (struct icmp_error){ICMP_TIME_EXCEEDED, 0, table->address}, packet, length);
    } else {
        *hop = *found;
    }
    worker_release(worker);
    return found != NULL && !expired;
}

static void take_frame(struct worker *worker, uint8_t *bytes, uint32_t size)
{
    struct virtio_net_hdr offload;
    uint8_t *packet = bytes + sizeof offload;
    uint32_t length = size - (uint32_t)sizeof offload;
    struct next_hop hop;
    struct split split;
    count(&worker->counters, COUNT_out_reads, 1);
    memcpy(&offload, bytes, sizeof offload);
    if (!is_carried(worker, packet, length) || !find_way(worker, &hop, packet, length))
        return;
    packet_decrement_ttl(packet);
    if (!split_begin(&split, &offload, packet, length)) {
        count(&worker->counters, COUNT_out_drop_malformed, 1);
        return;
    }
    if (split.headers > 0)
        messages_add_split(worker, hop, &split);
    else
        messages_add_packet(worker, hop, packet, length);
}

int outbound_round(struct worker *worker)
{
    struct outbound *outbound = worker->outbound;
    uint32_t used = 0, reads = 0;
    int failed = 0;
    while (reads < ROUND_FRAMES && used < ROUND_BYTES) {
        ssize_t size = read(worker->queue.tun, outbound->frames + used, FRAME);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            break;
        reads++;
        if (size < 0 && errno == EINVAL) {
            count(&worker->counters, COUNT_out_drop_malformed, 1); /* a frame that the kernel cannot hand over */
            continue;
        }
        if (size < 0) {
            failed = -errno;
            break;
        }
        if ((size_t)size > sizeof(struct virtio_net_hdr))
            take_frame(worker, outbound->frames + used, (uint32_t)size);
        used += (uint32_t)(size + 63) / 64 * 64;
    }
    messages_send(worker);
    return failed < 0 ? failed : reads > 0;
}
