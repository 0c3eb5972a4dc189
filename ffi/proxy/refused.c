/* What the kernel did not take as it was: one by one, in fragments, or not at all, and then the sender is told. */
#define _GNU_SOURCE
#include "fragment.h"
#include "messages.h"
#include "worker.h"

#include <errno.h>
#include <unistd.h>

/* Copies datagram `index` of a message, so that it is in one piece; returns its length. */
static uint32_t copy_segment(const struct message *message, uint32_t index, uint8_t *out)
{
    uint32_t begin = index * message->size;
    uint32_t end = begin + message->size < message->bytes ? begin + message->size : message->bytes;
    uint32_t at = 0;
    for (uint32_t i = 0; i < message->piece_count && at < end; i++) {
        const struct iovec *piece = &message->pieces[i];
        if (at >= begin)
            memcpy(out + (at - begin), piece->iov_base, piece->iov_len);
        at += (uint32_t)piece->iov_len;
    }
    return end - begin;
}

/* The largest datagram's payload that fits the way to a host, as the kernel knows it now; 0 where it cannot tell. */
static uint32_t room_to(const struct sockaddr_in *to)
{
    int mtu = 0;
    socklen_t size = sizeof mtu;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 || getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size) < 0)
        mtu = 0;
    close(fd);
    return mtu > IP_HEADER + UDP_HEADER ? (uint32_t)mtu - IP_HEADER - UDP_HEADER : 0;
}

static bool send_one(struct worker *worker, const struct sockaddr_in *to, const uint8_t *packet, uint32_t length)
{
    if (sendto(worker->queue.socket, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to,
               sizeof *to) < 0)
        return false;
    messages_count(worker, 1, length);
    return true;
}

static uint32_t our_address(struct worker *worker)
{
    uint32_t address = worker_table(worker)->settings.address;
    worker_release(worker);
    return address;
}

/* Counts `packets` that the kernel refused with `reason`, and tells the sender of one of them where it has no way. */
static void drop(struct worker *worker, int reason, uint32_t packets, const uint8_t *packet, uint32_t length)
{
    bool unreachable = reason == ENETUNREACH || reason == EHOSTUNREACH || reason == EADDRNOTAVAIL ||
                       reason == ENETDOWN || reason == EHOSTDOWN;
    count(&worker->counters, unreachable ? COUNT_out_drop_unreachable : COUNT_out_drop_refused, packets);
    if (unreachable)
        worker_tell(worker, ICMP_HOST_UNREACHABLE(our_address(worker)), packet, length);
}

/* A packet that does not fit the way: in fragments where it may be, or else its sender is told. */
static void send_too_big(struct worker *worker, const struct sockaddr_in *to, const uint8_t *packet, uint32_t length)
{
    uint8_t fragment[MAX_PACKET];
    uint32_t room = room_to(to);
    uint32_t offset = 0, size;
    if (room >= length || read16(packet + 6) & FRAGMENT_DF) {
        count(&worker->counters, COUNT_out_drop_too_big, 1);
        if (room > 0 && room < length)
            worker_tell(worker, ICMP_FRAGMENTATION_NEEDED(our_address(worker), (uint16_t)room), packet, length);
        return;
    }
    if (room < IP_MAX_HEADER + 8)
        count(&worker->counters, COUNT_out_drop_too_big, 1); /* not even a fragment's header and 8 bytes (RFC 791) */
    while (room >= IP_MAX_HEADER + 8 && (size = fragment_next(fragment, room, packet, &offset)) > 0) {
        if (!send_one(worker, to, fragment, size))
            drop(worker, errno, 1, packet, length);
    }
}

/* Sends the datagrams of a message one by one; returns whether the kernel took all of them. */
static bool send_singly(struct worker *worker, const struct message *message)
{
    uint8_t packet[MAX_PACKET];
    bool all = true;
    for (uint32_t i = 0; i < message->segments; i++) {
        uint32_t length = copy_segment(message, i, packet);
        if (send_one(worker, &message->to, packet, length))
            continue;
        all = false;
        if (errno == EMSGSIZE)
            send_too_big(worker, &message->to, packet, length);
        else
            drop(worker, errno, 1, packet, length);
    }
    return all;
}

/* What the kernel refused with `reason`, which is no full buffer. */
void messages_refused(struct worker *worker, const struct message *message, int reason)
{
    bool segmented = message->segments > 1;
    /* Older kernels say EINVAL for segments that are too long, and EIO for a device that cannot sum (ipv4/udp.c). */
    if (reason != EMSGSIZE && !(segmented && (reason == EINVAL || reason == EIO))) {
        uint8_t packet[MAX_PACKET];
        uint32_t length = copy_segment(message, 0, packet);
        drop(worker, reason, message->segments, packet, length);
        return;
    }
    if (send_singly(worker, message) && segmented)
        worker_disable(worker, FLAN_UDP_SEGMENT);
}
