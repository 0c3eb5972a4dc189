/* Gathering datagrams into messages, and sending them. */
#define _GNU_SOURCE
#include "messages.h"

#include "since.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>

bool messages_await_room(const struct worker *worker)
{
    struct pollfd entries[2] = {
        {.fd = worker->queue.socket, .events = POLLOUT},
        {.fd = worker->proxy->stop, .events = POLLIN},
    };
    poll(entries, 2, -1);
    return entries[1].revents == 0;
}

static void prepare_send(struct messages *messages, uint32_t index)
{
    struct message *message = &messages->list[index];
    struct msghdr *send = &messages->sends[index].msg_hdr;
    *send = (struct msghdr){
        .msg_name = &message->to,
        .msg_namelen = endpoint_size(&message->to),
        .msg_iov = message->pieces,
        .msg_iovlen = message->piece_count,
    };
    if (message->segments == 1)
        return;
    uint16_t size = (uint16_t)message->size;
    send->msg_control = messages->controls[index];
    send->msg_controllen = sizeof messages->controls[index];
    struct cmsghdr *control = CMSG_FIRSTHDR(send);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(control), &size, sizeof size);
}

void messages_count(struct worker *worker, uint32_t packets, uint32_t bytes)
{
    count(&worker->counters, COUNT_out_messages, 1);
    count(&worker->counters, COUNT_out_packets, packets);
    count(&worker->counters, COUNT_out_bytes, bytes);
}

void messages_send(struct worker *worker)
{
    struct messages *messages = worker->messages;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < messages->count; i++)
        prepare_send(messages, i);
    while (sent < messages->count) {
        int done = sendmmsg(worker->queue.socket, messages->sends + sent, messages->count - sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done > 0) {
            for (uint32_t end = sent + (uint32_t)done; sent < end; sent++)
                messages_count(worker, messages->list[sent].segments, messages->list[sent].bytes);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            if (!messages_await_room(worker))
                break;
            continue;
        }
        messages_refused(worker, &messages->list[sent++], errno);
    }
    messages->count = 0;
    messages->header_count = 0;
}

/* The last message to that host, if it takes a datagram of this size; those of one host keep their order. */
static struct message *open_message(struct messages *messages, struct next_hop hop, uint32_t size)
{
    for (uint32_t i = messages->count; i-- > 0;) {
        struct message *message = &messages->list[i];
        if (!address_equal(message->hop.remote, hop.remote) || message->hop.port != hop.port)
            continue;
        bool fits = message->open && size <= message->size && message->segments < SEGMENTS &&
                    message->bytes + size <= MAX_DATAGRAM;
        return fits ? message : NULL;
    }
    return NULL;
}

/* Adds one datagram of two pieces, of which the first may be empty. */
static void add(struct worker *worker, struct next_hop hop, struct iovec header, struct iovec payload)
{
    struct messages *messages = worker->messages;
    uint32_t size = (uint32_t)(header.iov_len + payload.iov_len);
    struct message *message = open_message(messages, hop, size);
    if (message == NULL) {
        message = &messages->list[messages->count++];
        message->hop = hop;
        message->to = endpoint_of(worker->proxy->family, hop.remote, hop.port);
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
    if (worker->messages->count == MESSAGES || worker->messages->header_count == HEADERS)
        messages_send(worker);
}

void messages_add_split(struct worker *worker, struct next_hop hop, const struct split *split)
{
    for (uint32_t i = 0; i < split->count; i++) {
        make_room(worker);
        const uint8_t *payload;
        uint8_t *header = worker->messages->headers[worker->messages->header_count++];
        uint32_t size = split_segment(split, i, header, &payload);
        add(worker, hop, (struct iovec){header, split->headers}, (struct iovec){(void *)payload, size});
    }
}

void messages_add_packet(struct worker *worker, struct next_hop hop, uint8_t *packet, uint32_t length)
{
    make_room(worker);
    add(worker, hop, (struct iovec){NULL, 0}, (struct iovec){packet, length});
}
