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

/* What the kernel knows of the way there now, for a socket like ours; 0 where it cannot tell. */
static uint32_t ask_room(const struct worker *worker, const union endpoint *to)
{
    union endpoint from;
    socklen_t from_size = sizeof from, mtu_size = sizeof(int);
    bool ipv6 = worker->proxy->family == 6;
    int headers = (ipv6 ? IPV6_HEADER : IP_HEADER) + UDP_HEADER;
    int mtu = 0;
    int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    bool known = getsockname(worker->queue.socket, &from.any, &from_size) == 0;
    from = endpoint_of(worker->proxy->family, endpoint_address(&from), 0);
    known = known && bind(fd, &from.any, from_size) == 0 && connect(fd, &to->any, endpoint_size(to)) == 0 &&
            (ipv6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &mtu_size)
                  : getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &mtu_size)) == 0;
    close(fd);
    return known && mtu > headers ? (uint32_t)(mtu - headers) : 0;
}

/* How long one answer does: whoever goes on sending too much is not asked for each packet. */
#define ROOM_NANOSECONDS 100000000u

/* The largest datagram that fits the way to a host, as the kernel knew it not long ago. */
static uint32_t room_to(struct worker *worker, const union endpoint *to)
{
    struct room *room = &worker->room;
    uint64_t now = worker_now();
    struct address remote = endpoint_address(to);
    if (!address_equal(room->remote, remote) || now >= room->until)
        *room = (struct room){remote, ask_room(worker, to), now + ROOM_NANOSECONDS};
    return room->bytes;
}

/* Waits where the socket is full. False with errno; EAGAIN says that the proxy ends. */
static bool send_one(struct worker *worker, const union endpoint *to, const uint8_t *packet, uint32_t length)
{
    while (sendto(worker->queue.socket, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to->any,
                  endpoint_size(to)) < 0) {
        if (errno != EINTR && (errno != EAGAIN || !messages_await_room(worker)))
            return false;
    }
    messages_count(worker, 1, length);
    return true;
}

static struct address our_address(struct worker *worker)
{
    struct address address = worker_table(worker)->address;
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
        worker_tell(worker, (struct icmp_error){ICMP_HOST_UNREACHABLE, 0, our_address(worker)}, packet, length);
}

/* Sends a packet in fragments, each of which is lost alone. */
static void send_fragments(struct worker *worker, const union endpoint *to, const uint8_t *packet, uint32_t room)
{
    uint8_t fragment[MAX_PACKET];
    uint32_t offset = 0, size;
    while ((size = fragment_next(fragment, room, packet, &offset)) > 0) {
        if (!send_one(worker, to, fragment, size))
            drop(worker, errno, 1, packet, read16(packet + 2));
    }
}

/*
 * Sends an IPv6 packet that every way must carry over one that is too narrow for what is around it: then the outer
 * packet is fragmented, by the kernel (RFC 2473, section 7.1 (b)).
 */
static void send_outer_fragments(struct worker *worker, const union endpoint *to, const uint8_t *packet,
                                 uint32_t length)
{
    int may = IPV6_PMTUDISC_WANT, must_not = IPV6_PMTUDISC_DO;
    setsockopt(worker->queue.socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &may, sizeof may);
    if (!send_one(worker, to, packet, length))
        drop(worker, errno, 1, packet, length);
    setsockopt(worker->queue.socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &must_not, sizeof must_not);
}

/* Sends what fits no datagram for the way where that can be done; false where only its sender can make it smaller. */
static bool send_smaller(struct worker *worker, const union endpoint *to, const uint8_t *packet, uint32_t room)
{
    if (is_ipv6(packet)) {
        uint32_t length = read16(packet + 4) + IPV6_HEADER;
        if (length > IPV6_MIN_MTU)
            return false;
        send_outer_fragments(worker, to, packet, length);
        return true;
    }
    if (read16(packet + 6) & FRAGMENT_DF)
        return false;
    send_fragments(worker, to, packet, room);
    return true;
}

/*
 * A packet that does not fit the way: in fragments where it may be, or else its sender is told, unless that is `told`
 * of the packet before it already.
 */
static void send_too_big(struct worker *worker, const union endpoint *to, const uint8_t *packet, uint32_t length,
                         uint8_t *told)
{
    uint32_t room = room_to(worker, to);
    /* The way has become wider meanwhile. */
    if (room >= length && send_one(worker, to, packet, length))
        return;
    /* Not even a fragment's header and 8 bytes (RFC 791). */
    bool is_hopeless = room < IP_MAX_HEADER + 8 || room >= length;
    if (!is_hopeless && send_smaller(worker, to, packet, room))
        return;
    count(&worker->counters, COUNT_out_drop_too_big, 1);
    uint32_t at = addresses_at(packet), size = is_ipv6(packet) ? 32 : 8;
    if (is_hopeless || memcmp(told, packet + at, size) == 0)
        return;
    memcpy(told, packet + at, size);
    uint32_t mtu = is_ipv6(packet) && room < IPV6_MIN_MTU ? IPV6_MIN_MTU : room;
    worker_tell(worker, (struct icmp_error){ICMP_TOO_BIG, mtu, our_address(worker)}, packet, length);
}

/* Sends the datagrams of a message one by one. */
static void send_singly(struct worker *worker, const struct message *message)
{
    uint8_t packet[MAX_PACKET];
    uint8_t told[32] = {0}; /* source and destination */
    for (uint32_t i = 0; i < message->segments; i++) {
        uint32_t length = copy_segment(message, i, packet);
        if (send_one(worker, &message->to, packet, length))
            continue;
        if (errno == EMSGSIZE)
            send_too_big(worker, &message->to, packet, length, told);
        else
            drop(worker, errno, 1, packet, length);
    }
}

/* What the kernel refused with `reason`, which is no full buffer. */
void messages_refused(struct worker *worker, const struct message *message, int reason)
{
    /* Older kernels say EINVAL for segments that are too long, and EIO for a device that cannot sum (ipv4/udp.c, ipv6/udp.c). */
    bool is_segments_fault = message->segments > 1 && (reason == EINVAL || reason == EIO);
    if (reason == EMSGSIZE || is_segments_fault) {
        send_singly(worker, message);
        return;
    }
    uint8_t packet[MAX_PACKET];
    uint32_t length = copy_segment(message, 0, packet);
    drop(worker, reason, message->segments, packet, length);
}
