/*
 * A kernel that answers as a script says, in the place of the real one: the workers are linked with --wrap for each
 * call in kernel_tun.c, kernel_socket.c and kernel_options.c. What they ask of it goes to stdout, one line a call, all bytes in hex.
 */
#ifndef FLAN_TEST_KERNEL_H
#define FLAN_TEST_KERNEL_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Descriptors that the real kernel does not have. */
enum { FD_TUN = 1000, FD_SOCKET, FD_RAW, FD_PROBE };

#define MOST_RULES 32
#define MOST_ITEMS 256
#define MOST_BYTES (128 << 10)

/* A frame that the TUN hands over, or a datagram for the socket. */
struct item {
    uint8_t *bytes;
    size_t length;
    union endpoint from;
    char control[16]; /* "none", "other", or the number that UDP_GRO tells */
};

struct items {
    struct item list[MOST_ITEMS];
    uint32_t count;
    uint32_t taken;
};

/* A call that is refused. */
struct rule {
    char call[16];
    char kind[24];  /* of the call, or "any" */
    int error;      /* an errno */
    uint32_t times; /* so often; 0 for always */
    uint32_t skip;  /* after so many that it lets pass */
    uint32_t over;  /* only what is longer than so many bytes */
    struct address to; /* only what goes to this address; zeros for all */
    bool spent;
};

struct kernel {
    struct rule rules[MOST_RULES];
    uint32_t rule_count;
    struct items frames, datagrams;
    uint32_t family;   /* of the sockets: 4 or 6 */
    uint32_t offloads; /* what TUNSETOFFLOAD takes */
    uint32_t mtu;      /* what IP_MTU or IPV6_MTU answers */
    uint32_t most;     /* messages that one sendmmsg takes */
    uint64_t now;      /* nanoseconds */
    bool full;         /* the socket never gets room */
    bool blocking;     /* O_NONBLOCK is not set */
    bool flood;        /* the same items for ever, nothing is told, and no lock orders the threads */
    uint32_t idle;     /* threads that wait for the end */
    uint32_t probes;   /* FD_PROBEs that are open */
};

extern struct kernel kernel;

void kernel_lock(void);
void kernel_unlock(void);

/* Waits until so many threads wait for nothing but the end, or until `*over`. */
void kernel_await_idle(uint32_t threads, const bool *over);
/* What waits is to look again. */
void kernel_wake(void);

/* What one call is about. */
struct asked {
    const char *call, *kind;
    uint32_t length; /* bytes of each packet */
    struct address to;
};

/* The errno that a call is refused with, or 0. Where it is not `taken`, the call is yet to come. Locked. */
int kernel_refusal(struct asked asked, bool taken);
/* The same, taken and told. */
int kernel_refuse(struct asked asked);

/* Writes a line. Locked. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);
/* Writes a line that ends with bytes. Locked. */
void tell_bytes(const char *before, const struct iovec *pieces, size_t count);

/* Ends the test where the workers ask what they never may. */
void expect(bool right, const char *what);

#endif
