/*
 * Moves bytes by TCP from one network namespace to another, both ends in one process, which an emulated processor runs
 * far quicker than two that take turns: `stream FROM TO ADDRESS BYTES`. Prints what was sent and what has arrived, each
 * with a checksum that depends on the order, as `sent 100000000 0123456789abcdef`.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1 << 18, WORD = sizeof(uint64_t) };

struct end {
    int sock;
    uint64_t bytes;
    uint64_t sum;
    size_t filled; /* of the piece */
    size_t done;
    unsigned char piece[PIECE];
};

static struct end sender, receiver;

static void enter(const char *namespace)
{
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        err(1, "%s", namespace);
    close(fd);
}

/* FNV-1a's way (draft-eastlake-fnv), a word at a time. */
static void add_up(struct end *end, const unsigned char *bytes, size_t length)
{
    for (size_t at = 0; at < length; at += WORD) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, length - at < WORD ? length - at : WORD);
        end->sum = (end->sum ^ word) * UINT64_C(0x100000001b3);
    }
    end->bytes += length;
}

static void connect_both(const char *from, const char *to, const char *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *target;
    if (getaddrinfo(address, "7107", &hints, &target) != 0)
        errx(1, "%s is no address", address);
    enter(to);
    int listener = socket(target->ai_family, SOCK_STREAM, 0);
    if (bind(listener, target->ai_addr, target->ai_addrlen) < 0 || listen(listener, 1) < 0)
        err(1, "listen on %s", address);
    enter(from);
    sender.sock = socket(target->ai_family, SOCK_STREAM, 0);
    if (connect(sender.sock, target->ai_addr, target->ai_addrlen) < 0)
        err(1, "connect to %s", address);
    receiver.sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (receiver.sock < 0 || fcntl(sender.sock, F_SETFL, O_NONBLOCK) < 0)
        err(1, "accept");
    freeaddrinfo(target);
}

/* Pseudo-random words (xorshift, Marsaglia 2003). */
static void fill(struct end *end, uint64_t left)
{
    static uint64_t state = UINT64_C(88172645463325252);
    end->filled = left < PIECE ? (size_t)left : PIECE;
    end->done = 0;
    for (size_t at = 0; at < PIECE; at += WORD) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(end->piece + at, &state, WORD);
    }
    add_up(end, end->piece, end->filled);
}

/* Sends until the socket takes no more. Returns whether there is more to send. */
static int send_some(struct end *end, uint64_t total)
{
    for (;;) {
        if (end->done == end->filled) {
            if (end->bytes == total)
                return shutdown(end->sock, SHUT_WR) < 0;
            fill(end, total - end->bytes);
        }
        ssize_t n = write(end->sock, end->piece + end->done, end->filled - end->done);
        if (n < 0 && errno == EAGAIN)
            return 1;
        if (n < 0)
            err(1, "write");
        end->done += (size_t)n;
    }
}

/* Takes what is there. Returns whether there can be more. */
static int receive_some(struct end *end)
{
    for (;;) {
        ssize_t n = read(end->sock, end->piece + end->filled, PIECE - end->filled);
        if (n < 0 && errno == EAGAIN)
            return 1;
        if (n < 0)
            err(1, "read");
        end->filled += (size_t)n;
        size_t whole = n == 0 ? end->filled : end->filled - end->filled % WORD;
        add_up(end, end->piece, whole);
        memmove(end->piece, end->piece + whole, end->filled - whole);
        end->filled -= whole;
        if (n == 0)
            return 0;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        errx(2, "usage: stream FROM TO ADDRESS BYTES");
    uint64_t total = strtoull(argv[4], NULL, 10);
    connect_both(argv[1], argv[2], argv[3]);
    int more = 1;
    do {
        /* poll(2) passes over a negative descriptor. */
        struct pollfd ready[] = {
            {.fd = more ? sender.sock : -1, .events = POLLOUT},
            {.fd = receiver.sock, .events = POLLIN},
        };
        if (poll(ready, 2, -1) < 0)
            err(1, "poll");
        if (ready[0].revents != 0)
            more = send_some(&sender, total);
    } while (receive_some(&receiver));
    printf("sent %" PRIu64 " %016" PRIx64 "\n", sender.bytes, sender.sum);
    printf("received %" PRIu64 " %016" PRIx64 "\n", receiver.bytes, receiver.sum);
    return 0;
}
