/* The calls that have to do with sockets. */
#define _GNU_SOURCE
#include "kernel.h"
#include "since.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned int room, int flags, struct timespec *timeout);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
ssize_t __wrap_sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);

static int refused(int error)
{
    errno = error;
    return -1;
}

static void put_control(struct msghdr *message, const char *text)
{
    bool other = strcmp(text, "other") == 0;
    int value = atoi(text);
    if (strcmp(text, "none") == 0) {
        message->msg_controllen = 0;
        return;
    }
    expect(message->msg_controllen >= CMSG_SPACE(sizeof value), "there is room for a control message");
    message->msg_controllen = CMSG_SPACE(sizeof value);
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    *control = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof value),
        .cmsg_level = other ? SOL_SOCKET : IPPROTO_UDP,
        .cmsg_type = other ? SO_TIMESTAMP : UDP_GRO,
    };
    memcpy(CMSG_DATA(control), &value, sizeof value);
}

static struct item *next_datagram(void)
{
    static _Thread_local uint32_t turn;
    if (kernel.flood)
        return &kernel.datagrams.list[turn++ % kernel.datagrams.count];
    return kernel.datagrams.taken < kernel.datagrams.count ? &kernel.datagrams.list[kernel.datagrams.taken++] : NULL;
}

static void put_datagram(struct mmsghdr *message, const struct item *datagram)
{
    struct iovec *piece = message->msg_hdr.msg_iov;
    size_t length = datagram->length < piece->iov_len ? datagram->length : piece->iov_len;
    expect(message->msg_hdr.msg_namelen >= sizeof datagram->from, "there is room for the sender's address");
    ASAN_UNPOISON_MEMORY_REGION(piece->iov_base, piece->iov_len);
    memcpy(piece->iov_base, datagram->bytes, length);
    ASAN_POISON_MEMORY_REGION((uint8_t *)piece->iov_base + length, piece->iov_len - length);
    memcpy(message->msg_hdr.msg_name, &datagram->from, sizeof datagram->from);
    message->msg_hdr.msg_namelen = sizeof datagram->from;
    message->msg_hdr.msg_flags = length < datagram->length ? MSG_TRUNC : 0;
    message->msg_len = (unsigned int)length;
    put_control(&message->msg_hdr, datagram->control);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned int room, int flags, struct timespec *timeout)
{
    expect(fd == FD_SOCKET && flags == MSG_DONTWAIT && timeout == NULL, "the socket is read without waiting");
    unsigned int received = 0;
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "recvmmsg", .kind = "datagram"});
    for (struct item *datagram; error == 0 && received < room && (datagram = next_datagram()) != NULL;)
        put_datagram(&messages[received++], datagram);
    kernel_unlock();
    return received > 0 ? (int)received : refused(error == 0 ? EAGAIN : error);
}

/* The size that UDP_SEGMENT gives, or 0. */
static uint16_t segment_size(struct msghdr *message)
{
    uint16_t size;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control == NULL)
        return 0;
    expect(control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT &&
               control->cmsg_len == CMSG_LEN(sizeof size) && CMSG_NXTHDR(message, control) == NULL,
           "there is no other control message than UDP_SEGMENT");
    memcpy(&size, CMSG_DATA(control), sizeof size);
    expect(size > 0, "segments are not empty");
    return size;
}

static struct asked asked_of(struct msghdr *message)
{
    const struct sockaddr_in *to = message->msg_name;
    uint32_t length = 0, size = segment_size(message);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        length += (uint32_t)message->msg_iov[i].iov_len;
    return (struct asked){
        .call = "sendmmsg",
        .kind = size > 0 ? "segmented" : "single",
        .length = size > 0 ? size : length,
        .to = to->sin_addr.s_addr,
    };
}

static void tell_message(const char *call, const struct sockaddr_in *to, uint32_t size, const struct iovec *pieces,
                         size_t count)
{
    char address[INET_ADDRSTRLEN], before[64];
    inet_ntop(AF_INET, &to->sin_addr, address, sizeof address);
    snprintf(before, sizeof before, "%s %s %u %u", call, address, ntohs(to->sin_port), size);
    tell_bytes(before, pieces, count);
}

/* As Linux does: what comes before the one that is refused is sent, and its errno is for the next call. */
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    expect(fd == FD_SOCKET && flags == (MSG_DONTWAIT | MSG_NOSIGNAL) && count > 0, "messages are sent without waiting");
    unsigned int sent = 0;
    int error = 0;
    kernel_lock();
    for (; sent < count && sent < kernel.most; sent++) {
        struct msghdr *message = &messages[sent].msg_hdr;
        struct asked asked = asked_of(message);
        if (kernel_refusal(asked, false) != 0 && sent > 0)
            break;
        error = kernel_refuse(asked);
        if (error != 0)
            break;
        tell_message("send", message->msg_name, segment_size(message), message->msg_iov, message->msg_iovlen);
    }
    if (sent > 0)
        tell("sendmmsg %u of %u", sent, count);
    kernel_unlock();
    return sent > 0 ? (int)sent : refused(error);
}

ssize_t __wrap_sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size)
{
    struct sockaddr_in address;
    expect(fd == FD_SOCKET || fd == FD_RAW, "they send by their own sockets");
    expect(flags & MSG_DONTWAIT && size == sizeof address, "packets are sent without waiting");
    memcpy(&address, to, sizeof address);
    const char *call = fd == FD_RAW ? "icmp" : "sendto";
    kernel_lock();
    int error = kernel_refuse(
        (struct asked){.call = call, .kind = "packet", .length = (uint32_t)length, .to = address.sin_addr.s_addr});
    if (error == 0)
        tell_message(call, &address, 0, &(struct iovec){(void *)bytes, length}, 1);
    kernel_unlock();
    return error == 0 ? (ssize_t)length : refused(error);
}

int __wrap_socket(int domain, int type, int protocol)
{
    expect(domain == AF_INET && type == (SOCK_DGRAM | SOCK_CLOEXEC) && protocol == 0, "only the MTU needs a socket");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "socket", .kind = "udp"});
    if (error == 0)
        kernel.probes++;
    kernel_unlock();
    return error == 0 ? FD_PROBE : refused(error);
}

/* The host's address and the proxy's port. */
static struct sockaddr_in own_address(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(8285), .sin_addr = {htonl(0xc0000201)}};
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    struct sockaddr_in own = own_address();
    expect(fd == FD_SOCKET && *size == sizeof own, "only the socket's own address is asked for");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "getsockname", .kind = "udp"});
    kernel_unlock();
    if (error != 0)
        return refused(error);
    memcpy(address, &own, sizeof own);
    return 0;
}

/* The port stays free for the kernel to choose: the proxy's is taken. */
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_in own = own_address();
    own.sin_port = 0;
    expect(fd == FD_PROBE && size == sizeof own && memcmp(address, &own, sizeof own) == 0,
           "the MTU is asked for from the socket's own address");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "bind", .kind = "udp"});
    kernel_unlock();
    return error == 0 ? 0 : refused(error);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
    expect(fd == FD_PROBE && size == sizeof(struct sockaddr_in), "only the MTU needs a connection");
    struct sockaddr_in address;
    memcpy(&address, to, sizeof address);
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "connect", .kind = "udp", .to = address.sin_addr.s_addr});
    if (error == 0)
        tell("connect");
    kernel_unlock();
    return error == 0 ? 0 : refused(error);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    expect(fd == FD_PROBE && level == IPPROTO_IP && name == IP_MTU && *size == sizeof(int), "only the MTU is asked for");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "getsockopt", .kind = "IP_MTU"});
    memcpy(value, &kernel.mtu, sizeof kernel.mtu);
    kernel_unlock();
    return error == 0 ? 0 : refused(error);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    static const struct {
        int level, name;
        const char *text;
    } known[] = {
        {IPPROTO_UDP, UDP_SEGMENT, "UDP_SEGMENT"},     {IPPROTO_UDP, UDP_GRO, "UDP_GRO"},
        {IPPROTO_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER"}, {SOL_SOCKET, SO_SNDBUFFORCE, "SO_SNDBUFFORCE"},
        {SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF"},          {SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE"},
        {SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF"},
    };
    int number;
    expect(fd == FD_SOCKET && size == sizeof number, "options are numbers");
    memcpy(&number, value, sizeof number);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].level != level || known[i].name != name)
            continue;
        kernel_lock();
        int error = kernel_refuse((struct asked){.call = "setsockopt", .kind = known[i].text});
        if (error == 0)
            tell("option %s %d", known[i].text, number);
        kernel_unlock();
        return error == 0 ? 0 : refused(error);
    }
    expect(false, "a known option");
    return -1;
}
