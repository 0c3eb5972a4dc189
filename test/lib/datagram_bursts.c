/*
 * `datagram_bursts ADDRESS PORT SIZE COUNT ROUNDS` gives the kernel COUNT datagrams of SIZE bytes in one send
 * (UDP_SEGMENT, udp(7)), each with contents of its own, waits until something that echoes has sent all of them back,
 * and does so ROUNDS times. Ends with 1 where one is lost, or comes back changed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* linux/udp.h: Linux 4.18. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* Far above any round trip: only what is lost takes so long. */
#define LOST_MS 3000

static unsigned char burst[65507], back[65536];
static unsigned char seen[65536];

static void echoed(int sock, unsigned int size, unsigned int count)
{
    struct pollfd ready = {.fd = sock, .events = POLLIN};
    if (poll(&ready, 1, LOST_MS) != 1)
        errx(1, "a datagram was lost");
    ssize_t length = recv(sock, back, sizeof back, 0);
    if (length != (ssize_t)size)
        errx(1, "%zd bytes came back of %u", length, size);
    unsigned int index = (unsigned int)back[0] << 8 | back[1];
    if (index >= count || seen[index]++ || memcmp(back, burst + index * size, size) != 0)
        errx(1, "datagram %u came back changed, or twice", index);
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 6)
        errx(2, "usage: datagram_bursts ADDRESS PORT SIZE COUNT ROUNDS");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    unsigned int size = (unsigned int)atoi(arguments[3]), count = (unsigned int)atoi(arguments[4]);
    int segment = (int)size, sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1 || size < 2 || size * count > sizeof burst)
        errx(2, "no such burst");
    /* As QUIC has it: otherwise Linux sets no DF on what is longer than the MTU before it is divided. */
    int discover = IP_PMTUDISC_DO;
    /* Not connected: whoever echoes may do so from another address of its host. */
    if (sock < 0 || setsockopt(sock, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) < 0 ||
        setsockopt(sock, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0)
        err(1, "socket");
    for (int round = atoi(arguments[5]); round > 0; round--) {
        for (unsigned int i = 0; i < size * count; i++)
            burst[i] = (unsigned char)(rand() >> 8);
        for (unsigned int i = 0; i < count; i++) {
            burst[i * size] = (unsigned char)(i >> 8);
            burst[i * size + 1] = (unsigned char)i;
        }
        memset(seen, 0, sizeof seen);
        if (sendto(sock, burst, size * count, 0, (struct sockaddr *)&to, sizeof to) < 0)
            err(1, "sendto");
        for (unsigned int i = 0; i < count; i++)
            echoed(sock, size, count);
    }
    return 0;
}
