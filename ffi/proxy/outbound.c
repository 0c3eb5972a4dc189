/* From the TUN to other hosts. */
#define _GNU_SOURCE
#include "fragment.h"
#include "packet.h"
#include "split.h"
#include "worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* UDP_MAX_SEGMENTS of older kernels (include/linux/udp.h). */
#define SEGMENTS 64
#define MESSAGES 64
/* A round ends at so many frames or bytes, so that the first one does not wait for long. */
#define ROUND_FRAMES 64
#define ROUND_BYTES (96u << 10)
#define FRAME (sizeof(struct virtio_net_hdr) + MAX_PACKET)
/* Headers of split packets between two sends. */
#define HEADERS 1024

/* Datagrams of one length to one host, the last one perhaps shorter: one send. */
struct message {
    struct sockaddr_in to;
    uint32_t size;     /* of the first datagram */
    uint32_t segments; /* datagrams */
    uint32_t bytes;
    uint32_t piece_count;
    bool open;
    struct iovec pieces[2 * SEGMENTS];
};

struct outbound {
    uint32_t count;
    uint32_t header_count;
    struct message messages[MESSAGES];
    struct mmsghdr sends[MESSAGES];
    alignas(struct cmsghdr) uint8_t controls[MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
    uint8_t headers[HEADERS][MAX_HEADERS];
    uint8_t scratch[2][MAX_PACKET + 1];
    uint8_t frames[ROUND_BYTES + 2 * FRAME];
};

struct outbound *outbound_new(void)
{
    return calloc(1, sizeof(struct outbound));
}

void outbound_free(struct outbound *outbound)
{
    free(outbound);
}

static struct sockaddr_in address_of(const struct next_hop *hop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = hop->port};
    address.sin_addr.s_addr = hop->remote;
    return address;
}

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

static void count_sent(struct worker *worker, uint32_t packets, uint32_t bytes)
{
    count(&worker->counters, COUNT_out_messages, 1);
    count(&worker->counters, COUNT_out_packets, packets);
    count(&worker->counters, COUNT_out_bytes, bytes);
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
    uint8_t *fragment = worker->outbound->scratch[1];
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
        if (sendto(worker->queue.socket, fragment, size, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to,
                   sizeof *to) < 0)
            drop(worker, errno, 1, packet, length);
        else
            count_sent(worker, 1, size);
    }
}

/* Sends the datagrams of a message one by one; returns whether the kernel took all of them. */
static bool send_singly(struct worker *worker, const struct message *message)
{
    uint8_t *packet = worker->outbound->scratch[0];
    bool all = true;
    for (uint32_t i = 0; i < message->segments; i++) {
        uint32_t length = copy_segment(message, i, packet);
        if (sendto(worker->queue.socket, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&message->to, sizeof message->to) >= 0) {
            count_sent(worker, 1, length);
            continue;
        }
        all = false;
        if (errno == EMSGSIZE)
            send_too_big(worker, &message->to, packet, length);
        else
            drop(worker, errno, 1, packet, length);
    }
    return all;
}

/* What the kernel refused with `reason`, which is no full buffer. */
static void send_refused(struct worker *worker, const struct message *message, int reason)
{
    bool segmented = message->segments > 1;
    /* Older kernels say EINVAL for segments that are too long, and EIO for a device that cannot sum (ipv4/udp.c). */
    if (reason != EMSGSIZE && !(segmented && (reason == EINVAL || reason == EIO))) {
        uint8_t *packet = worker->outbound->scratch[0];
        uint32_t length = copy_segment(message, 0, packet);
        drop(worker, reason, message->segments, packet, length);
        return;
    }
    if (send_singly(worker, message) && segmented)
        worker_disable(worker, FLAN_UDP_SEGMENT);
}

/* Waits until the socket takes more; false where it ends instead. */
static bool await_room(const struct worker *worker)
{
    struct pollfd entries[2] = {
        {.fd = worker->queue.socket, .events = POLLOUT},
        {.fd = worker->proxy->stop, .events = POLLIN},
    };
    poll(entries, 2, -1);
    return entries[1].revents == 0;
}

static void prepare_send(struct outbound *outbound, uint32_t index)
{
    struct message *message = &outbound->messages[index];
    struct msghdr *send = &outbound->sends[index].msg_hdr;
    *send = (struct msghdr){
        .msg_name = &message->to,
        .msg_namelen = sizeof message->to,
        .msg_iov = message->pieces,
        .msg_iovlen = message->piece_count,
    };
    if (message->segments == 1)
        return;
    uint16_t size = (uint16_t)message->size;
    send->msg_control = outbound->controls[index];
    send->msg_controllen = sizeof outbound->controls[index];
    struct cmsghdr *control = CMSG_FIRSTHDR(send);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(control), &size, sizeof size);
}

static void send_all(struct worker *worker)
{
    struct outbound *outbound = worker->outbound;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < outbound->count; i++)
        prepare_send(outbound, i);
    while (sent < outbound->count) {
        int done = sendmmsg(worker->queue.socket, outbound->sends + sent, outbound->count - sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done > 0) {
            for (uint32_t end = sent + (uint32_t)done; sent < end; sent++)
                count_sent(worker, outbound->messages[sent].segments, outbound->messages[sent].bytes);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            if (!await_room(worker))
                break;
            continue;
        }
        send_refused(worker, &outbound->messages[sent++], errno);
    }
    outbound->count = 0;
    outbound->header_count = 0;
}

/* The last message to that host, if it takes a datagram of this size; those of one host keep their order. */
static struct message *open_message(struct outbound *outbound, const struct next_hop *hop, uint32_t size)
{
    for (uint32_t i = outbound->count; i-- > 0;) {
        struct message *message = &outbound->messages[i];
        if (message->to.sin_addr.s_addr != hop->remote || message->to.sin_port != hop->port)
            continue;
        bool fits = message->open && size <= message->size && message->segments < SEGMENTS &&
                    message->bytes + size <= MAX_DATAGRAM;
        return fits ? message : NULL;
    }
    return NULL;
}

/* Adds one datagram of two pieces, of which the first may be empty. */
static void add(struct worker *worker, const struct next_hop *hop, struct iovec header, struct iovec payload)
{
    struct outbound *outbound = worker->outbound;
    uint32_t size = (uint32_t)(header.iov_len + payload.iov_len);
    struct message *message = open_message(outbound, hop, size);
    if (message == NULL) {
        message = &outbound->messages[outbound->count++];
        message->to = address_of(hop);
        message->size = size;
        message->segments = 0;
        message->bytes = 0;
        message->piece_count = 0;
        message->open = has_feature(worker, FLAN_UDP_SEGMENT);
    }
    if (header.iov_len > 0)
        message->pieces[message->piece_count++] = header;
    if (payload.iov_len > 0)
        message->pieces[message->piece_count++] = payload;
    message->segments++;
    message->bytes += size;
    if (size < message->size)
        message->open = false;
}

static void make_room(struct worker *worker)
{
    if (worker->outbound->count == MESSAGES || worker->outbound->header_count == HEADERS)
        send_all(worker);
}

static void add_split(struct worker *worker, const struct next_hop *hop, const struct split *split)
{
    for (uint32_t i = 0; i < split->count; i++) {
        make_room(worker);
        const uint8_t *payload;
        uint8_t *header = worker->outbound->headers[worker->outbound->header_count++];
        uint32_t size = split_segment(split, i, header, &payload);
        add(worker, hop, (struct iovec){header, split->headers}, (struct iovec){(void *)payload, size});
    }
}

/* Whether a packet from the TUN can be carried as far as its header tells. */
static bool is_carried(struct worker *worker, const uint8_t *packet, uint32_t length)
{
    enum packet_fault fault = packet_check(packet, length);
    bool malformed = fault != PACKET_OK && fault != PACKET_TTL && fault != PACKET_CHECKSUM;
    if (fault == PACKET_VERSION)
        count(&worker->counters, COUNT_out_drop_not_ipv4, 1);
    else if (malformed)
        count(&worker->counters, COUNT_out_drop_malformed, 1);
    else if (is_multicast_or_above(destination_of(packet)))
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
    bool expired = packet[8] <= 1;
    if (found == NULL) {
        count(&worker->counters, COUNT_out_drop_no_route, 1);
        worker_tell(worker, ICMP_NET_UNREACHABLE(table->settings.address), packet, length);
    } else if (expired) {
        count(&worker->counters, COUNT_out_drop_ttl, 1);
        worker_tell(worker, ICMP_TIME_EXCEEDED(table->settings.address), packet, length);
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
    if (split.headers > 0) {
        add_split(worker, &hop, &split);
        return;
    }
    make_room(worker);
    add(worker, &hop, (struct iovec){NULL, 0}, (struct iovec){packet, length});
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
        if (size < 0) {
            failed = errno == EAGAIN ? 0 : -errno;
            break;
        }
        if ((size_t)size > sizeof(struct virtio_net_hdr))
            take_frame(worker, outbound->frames + used, (uint32_t)size);
        used += (uint32_t)(size + 63) / 64 * 64;
        reads++;
    }
    send_all(worker);
    return failed < 0 ? failed : reads > 0;
}
