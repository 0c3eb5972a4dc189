/*
 * Whole IPv4 packets, as a program for tests:
 *   `raw_packets send`         sends each line of stdin, a packet in hex, to the destination in its header
 *   `raw_packets flood`        sends the only line of stdin without end
 *   `raw_packets capture LINK` prints each packet that comes in over a link, in hex, after the line `capturing`
 * A sender fills in the IPv4 checksum, and nothing else that is not 0 (raw(7), IP_HDRINCL).
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char packet[65536];

static const char digits[] = "0123456789abcdef";

static size_t from_hex(const char *line)
{
    size_t length = 0;
    for (; line[0] >= '0' && line[1] >= '0' && length < sizeof packet; line += 2) {
        long high = strchr(digits, line[0]) - digits, low = strchr(digits, line[1]) - digits;
        packet[length++] = (unsigned char)(high << 4 | low);
    }
    return length;
}

static void send_line(int sock, const char *line, int again)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    size_t length = from_hex(line);
    memcpy(&to.sin_addr, packet + 16, 4);
    do {
        if (sendto(sock, packet, length, 0, (struct sockaddr *)&to, sizeof to) < 0 && !again)
            err(1, "sendto");
    } while (again);
}

static void capture(const char *link)
{
    struct sockaddr_ll from = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(link)};
    socklen_t size = sizeof from;
    int room = 64 << 20;
    int sock = socket(AF_PACKET, SOCK_DGRAM, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&from, sizeof from) < 0)
        err(1, "%s", link);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    puts("capturing");
    for (;;) {
        fflush(stdout);
        ssize_t length = recvfrom(sock, packet, sizeof packet, 0, (struct sockaddr *)&from, &size);
        if (length < 0)
            err(1, "recvfrom");
        if (from.sll_pkttype == PACKET_OUTGOING)
            continue;
        for (ssize_t i = 0; i < length; i++) {
            putchar(digits[packet[i] >> 4]);
            putchar(digits[packet[i] & 15]);
        }
        putchar('\n');
    }
}

int main(int count, char **arguments)
{
    static char line[2 * sizeof packet + 2];
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "capture") == 0 && count == 3)
        capture(arguments[2]);
    if (strcmp(mode, "send") != 0 && strcmp(mode, "flood") != 0)
        errx(2, "usage: raw_packets send|flood|capture LINK");
    int sock = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (sock < 0)
        err(1, "socket");
    while (fgets(line, sizeof line, stdin) != NULL)
        send_line(sock, line, strcmp(mode, "flood") == 0);
    return 0;
}
