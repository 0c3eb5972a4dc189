/* Datagrams on their way to the socket: gathered into messages, sent in one call. */
#ifndef FLAN_MESSAGES_H
#define FLAN_MESSAGES_H

#include "packet.h"
#include "split.h"
#include "table.h"

#include <stdalign.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct worker;

/* UDP_MAX_SEGMENTS of older kernels (include/linux/udp.h). */
#define SEGMENTS 64
#define MESSAGES 64
/* Headers of split packets between two sends. */
#define HEADERS 1024

/* Datagrams of one length to one host, the last one perhaps shorter: one send. */
struct message {
    struct next_hop hop;
    union endpoint to;
    uint32_t size;     /* of the first datagram */
    uint32_t segments; /* datagrams */
    uint32_t bytes;
    uint32_t piece_count;
    bool open;
    struct iovec pieces[2 * SEGMENTS];
};

struct messages {
    uint32_t count;
    uint32_t header_count;
    struct message list[MESSAGES];
    struct mmsghdr sends[MESSAGES];
    alignas(struct cmsghdr) uint8_t controls[MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
    uint8_t headers[HEADERS][MAX_HEADERS];
};

/* Add what stays where it is until messages_send; where there is no room, they send first. */
void messages_add_packet(struct worker *worker, struct next_hop hop, uint8_t *packet, uint32_t length);
void messages_add_split(struct worker *worker, struct next_hop hop, const struct split *split);

/* Sends all of them, and waits where the socket is full. */
void messages_send(struct worker *worker);

/* Waits until the socket takes more; false where it ends instead. */
bool messages_await_room(const struct worker *worker);

/* Counts one message that was sent. */
void messages_count(struct worker *worker, uint32_t packets, uint32_t bytes);

/* What the kernel did not take with `reason`, which is no full socket: sent in another way, or counted and told. */
void messages_refused(struct worker *worker, const struct message *message, int reason);

#endif
