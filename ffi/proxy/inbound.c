/* From other hosts to the TUN. */
#define _GNU_SOURCE
#include "join.h"
#include "since.h"
#include "worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Messages received at once, and room for the largest one. */
#define BATCH 16
#define BUFFER (64 << 10)

struct inbound {
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    union endpoint senders[BATCH];
    alignas(struct cmsghdr) uint8_t controls[BATCH][CMSG_SPACE(sizeof(int))];
    struct joiner joiner;
    uint8_t buffers[BATCH][BUFFER];
};

struct inbound *inbound_new(void)
{
    struct inbound *inbound = calloc(1, sizeof *inbound);
    if (inbound == NULL)
        return NULL;
    for (int i = 0; i < BATCH; i++) {
        inbound->pieces[i] = (struct iovec){inbound->buffers[i], BUFFER};
        inbound->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &inbound->senders[i],
            .msg_iov = &inbound->pieces[i],
            .msg_iovlen = 1,
            .msg_control = inbound->controls[i],
        };
    }
    return inbound;
}

void inbound_free(struct inbound *inbound)
{
    free(inbound);
}

static void count_written(struct worker *worker, uint32_t packets, uint32_t bytes)
{
    count(&worker->counters, COUNT_in_writes, 1);
    count(&worker->counters, COUNT_in_packets, packets);
    count(&worker->counters, COUNT_in_bytes, bytes);
}

/* 0 or -errno. */
static int write_pieces(int tun, const struct iovec *pieces, int piece_count)
{
    while (writev(tun, pieces, piece_count) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Writes the packets of a frame that the kernel did not take as one. */
static int write_singly(struct worker *worker, struct frame *frame)
{
    join_undo(frame);
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t length;
        uint8_t *packet = frame_packet(frame, i, &length);
        struct iovec pieces[2] = {frame->pieces[0], {packet, length}};
        int failed = write_pieces(worker->queue.tun, pieces, 2);
        if (failed == -EBADFD)
            return failed;
        if (failed)
            count(&worker->counters, COUNT_in_drop_tun, 1);
        else
            count_written(worker, 1, length);
    }
    return 0;
}

static int write_frame(struct worker *worker, struct frame *frame)
{
    int failed = write_pieces(worker->queue.tun, frame->pieces, (int)frame_pieces(frame));
    if (failed == 0) {
        /* Each joined packet had headers of its own on the wire. */
        count_written(worker, frame->count, frame->length + (frame->count - 1) * frame->headers);
        return 0;
    }
    if (failed == -EINVAL && frame->count > 1)
        return write_singly(worker, frame);
    if (failed == -EBADFD)
        return failed;
    count(&worker->counters, COUNT_in_drop_tun, frame->count);
    return 0;
}

static int write_frames(struct worker *worker)
{
    struct joiner *joiner = &worker->inbound->joiner;
    int failed = 0;
    join_finish(joiner);
    for (uint32_t i = 0; i < joiner->count && failed == 0; i++)
        failed = write_frame(worker, &joiner->frames[i]);
    join_reset(joiner);
    return failed;
}

static enum flan_counter drop_for(uint32_t family, enum packet_fault fault)
{
    switch (fault) {
    case PACKET_SHORT:
        return COUNT_in_drop_short;
    case PACKET_VERSION:
        return family == 6 ? COUNT_in_drop_not_ipv6 : COUNT_in_drop_not_ipv4;
    case PACKET_HEADER_LENGTH:
        return COUNT_in_drop_header_length;
    case PACKET_TOTAL_LENGTH:
        return COUNT_in_drop_length;
    case PACKET_CHECKSUM:
        return COUNT_in_drop_checksum;
    case PACKET_TTL:
    case PACKET_OK:
        break;
    }
    return COUNT_in_drop_ttl;
}

/* Whether `sender` is the host that has the packet's source. Containers may send in its name, but not from its port. */
static bool is_owner(const struct table *table, const uint8_t *packet, const union endpoint *sender)
{
    const struct next_hop *owner = table_find(table, source_of(packet));
    return owner != NULL && address_equal(owner->remote, endpoint_address(sender)) &&
           owner->port == endpoint_port(sender);
}

/* Whether the host at `sender` may send this packet, and to us. */
static bool is_permitted(struct worker *worker, const struct table *table, const uint8_t *packet,
                         const union endpoint *sender)
{
    if (!table->configured || table->settings.check_source) {
        if (!is_owner(table, packet, sender)) {
            count(&worker->counters, COUNT_in_drop_source, 1);
            return false;
        }
    }
    if (!table_owns(table, destination_of(packet))) {
        count(&worker->counters, COUNT_in_drop_destination, 1);
        return false;
    }
    return true;
}

static int take_packet(struct worker *worker, const struct table *table, uint8_t *packet, uint32_t length,
                       const union endpoint *sender)
{
    enum packet_fault fault = packet_check(table->family, packet, length);
    if (fault != PACKET_OK && fault != PACKET_TTL) {
        count(&worker->counters, drop_for(table->family, fault), 1);
        return 0;
    }
    if (!is_permitted(worker, table, packet, sender))
        return 0;
    if (fault == PACKET_TTL) {
        count(&worker->counters, COUNT_in_drop_ttl, 1);
        /* Where sources are not checked, strangers must not have us write to whom they like. */
        if (is_owner(table, packet, sender))
            worker_tell(worker, (struct icmp_error){ICMP_TIME_EXCEEDED, 0, table->address}, packet, length);
        return 0;
    }
    packet_decrement_ttl(packet);
    if (join_add(&worker->inbound->joiner, packet, length))
        return 0;
    int failed = write_frames(worker);
    join_add(&worker->inbound->joiner, packet, length);
    return failed;
}

/* The size of the datagrams in a message, of which only the last may be shorter; all of it where they were not joined. */
static uint32_t segment_size(struct msghdr *message, uint32_t length)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(control), sizeof size);
            return size > 0 ? (uint32_t)size : length;
        }
    }
    return length;
}

static int take_message(struct worker *worker, const struct table *table, int index)
{
    struct inbound *inbound = worker->inbound;
    struct msghdr *message = &inbound->messages[index].msg_hdr;
    uint32_t length = inbound->messages[index].msg_len;
    const union endpoint *sender = &inbound->senders[index];
    uint32_t size = segment_size(message, length);
    int failed = 0;
    count(&worker->counters, COUNT_in_messages, 1);
    if (length == 0)
        count(&worker->counters, COUNT_in_drop_short, 1);
    for (uint32_t at = 0; at < length && failed == 0; at += size) {
        uint32_t rest = length - at;
        failed = take_packet(worker, table, inbound->buffers[index] + at, rest < size ? rest : size, sender);
    }
    return failed;
}

static int receive(struct worker *worker)
{
    struct inbound *inbound = worker->inbound;
    for (int i = 0; i < BATCH; i++) {
        inbound->messages[i].msg_hdr.msg_namelen = sizeof inbound->senders[i];
        inbound->messages[i].msg_hdr.msg_controllen = sizeof inbound->controls[i];
    }
    int received = recvmmsg(worker->queue.socket, inbound->messages, BATCH, MSG_DONTWAIT, NULL);
    if (received >= 0)
        return received;
    if (errno == EBADF || errno == ENOTSOCK)
        return -errno;
    /* Others, such as an ICMP error that came back, concern one datagram and are told once. */
    return 0;
}

int inbound_round(struct worker *worker)
{
    struct inbound *inbound = worker->inbound;
    int received = receive(worker);
    if (received <= 0)
        return received;
    inbound->joiner.tcp = has_feature(worker, FLAN_JOIN_TCP);
    inbound->joiner.udp = has_feature(worker, FLAN_JOIN_UDP);
    const struct table *table = worker_table(worker);
    int failed = 0;
    for (int i = 0; i < received && failed == 0; i++)
        failed = take_message(worker, table, i);
    worker_release(worker);
    if (failed == 0)
        failed = write_frames(worker);
    return failed < 0 ? failed : 1;
}
