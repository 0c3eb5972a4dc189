/*
 * Small UDP packets, as many as go or at a rate, and how many of them arrive. iperf3 makes one system call a packet
 * and measures itself; this makes few, so that what is measured is the way between the two.
 *
 *   packets receive ADDRESS PORT RUN       prints "ready"; at the end of its stdin "RECEIVED SECONDS"
 *   packets send ADDRESS PORT RUN RATE SECONDS   packets a second, 0 for as many as go; prints "SENT SECONDS"
 *
 * Packets carry the number of their run: what is left of an earlier one in some queue is not counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, BATCH = 32, BUFFER = 4 << 20 };
/* Packets of a rate leave in bursts this far apart: as coarse as timers are, and no core is burnt by waiting. */
static const double TICK = 100e-6;

struct packets {
    uint64_t bytes[BATCH][SIZE / 8];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void prepare(struct packets *packets, uint64_t run)
{
    memset(packets, 0, sizeof *packets);
    for (int i = 0; i < BATCH; i++) {
        packets->bytes[i][0] = run;
        packets->parts[i] = (struct iovec){.iov_base = packets->bytes[i], .iov_len = SIZE};
        packets->messages[i].msg_hdr.msg_iov = &packets->parts[i];
        packets->messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void receive(int fd, uint64_t run)
{
    static struct packets packets;
    struct pollfd waiting[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    uint64_t received = 0;
    double first = 0, last = 0;
    prepare(&packets, 0);
    puts("ready");
    fflush(stdout);
    while (!waiting[1].revents) {
        if (poll(waiting, 2, -1) < 0)
            fail("poll");
        int count = recvmmsg(fd, packets.messages, BATCH, MSG_DONTWAIT, NULL);
        if (count < 0 && errno != EAGAIN)
            fail("recvmmsg");
        for (int i = 0; i < count; i++)
            received += packets.bytes[i][0] == run;
        if (count > 0 && received > 0) {
            last = now();
            if (first == 0)
                first = last;
        }
        if (count > 0)
            waiting[1].revents = 0; /* first what has come already */
    }
    printf("%llu %.6f\n", (unsigned long long)received, last - first);
}

static void wait_until(double moment)
{
    struct timespec time = {.tv_sec = (time_t)moment};
    time.tv_nsec = (long)((moment - (double)time.tv_sec) * 1e9);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

/* A full queue refuses packets (ENOBUFS): they count as sent and lost, as for any program that does not look. */
static void send_batch(int fd, struct packets *packets, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int more = sendmmsg(fd, packets->messages + sent, count - sent, 0);
        if (more < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
            fail("sendmmsg");
        sent += more > 0 ? (unsigned)more : 1;
    }
}

static void transmit(int fd, uint64_t run, double rate, double seconds)
{
    static struct packets packets;
    prepare(&packets, run);
    prctl(PR_SET_TIMERSLACK, 1UL);
    uint64_t sent = 0;
    double begun = now(), time = begun;
    for (; time < begun + seconds; time = now()) {
        uint64_t due = rate > 0 ? (uint64_t)((time - begun) * rate) + 1 : sent + BATCH;
        while (sent < due) {
            unsigned count = due - sent < BATCH ? (unsigned)(due - sent) : BATCH;
            send_batch(fd, &packets, count);
            sent += count;
        }
        if (rate > 0)
            wait_until(time + TICK);
    }
    printf("%llu %.6f\n", (unsigned long long)sent, time - begun);
}

int main(int argc, char **argv)
{
    int receives = argc == 5 && !strcmp(argv[1], "receive");
    if (!receives && (argc != 7 || strcmp(argv[1], "send"))) {
        fputs("usage: packets receive ADDRESS PORT RUN | send ADDRESS PORT RUN RATE SECONDS\n", stderr);
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int size = BUFFER;
    if (fd < 0 || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1)
        fail("socket");
    if (setsockopt(fd, SOL_SOCKET, receives ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &size, sizeof size))
        fail("setsockopt");
    if ((receives ? bind : connect)(fd, (struct sockaddr *)&address, sizeof address))
        fail(receives ? "bind" : "connect");
    uint64_t run = strtoull(argv[4], NULL, 10);
    if (receives)
        receive(fd, run);
    else
        transmit(fd, run, atof(argv[5]), atof(argv[6]));
    return 0;
}
