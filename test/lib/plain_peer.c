/*
 * A peer of the udp backend that is as plain as can be: `plain_peer TUN ADDRESS REMOTE PORT` reads one packet from
 * its TUN device and sends it as one datagram, receives one datagram and writes it as one packet. No offloads, no
 * batches, no checks, no routes, and no source in common with flan.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
        err(1, "%s", name);
    return tun;
}

static struct sockaddr_in endpoint(const char *address, const char *port)
{
    struct sockaddr_in end = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, address, &end.sin_addr) != 1)
        errx(1, "%s is no IPv4 address", address);
    return end;
}

static int open_socket(const char *address, const char *port)
{
    struct sockaddr_in own = endpoint(address, port);
    int room = 4 << 20;
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&own, sizeof own) < 0)
        err(1, "%s", address);
    /* A peer that is slower than flan loses little; where the kernel refuses, it loses more. */
    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return sock;
}

int main(int count, char **arguments)
{
    static char packet[65536];
    if (count != 5)
        errx(2, "usage: plain_peer TUN ADDRESS REMOTE PORT");
    int tun = open_tun(arguments[1]);
    int sock = open_socket(arguments[2], arguments[4]);
    struct sockaddr_in remote = endpoint(arguments[3], arguments[4]);
    struct pollfd ready[] = {{.fd = tun, .events = POLLIN}, {.fd = sock, .events = POLLIN}};
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (poll(ready, 2, -1) < 0)
            err(1, "poll");
        ssize_t length = ready[0].revents != 0 ? read(tun, packet, sizeof packet) : 0;
        if (length > 0)
            sendto(sock, packet, (size_t)length, 0, (struct sockaddr *)&remote, sizeof remote);
        length = ready[1].revents != 0 ? recv(sock, packet, sizeof packet, 0) : 0;
        if (length > 0 && write(tun, packet, (size_t)length) < 0)
            warn("%zd bytes", length);
    }
}
