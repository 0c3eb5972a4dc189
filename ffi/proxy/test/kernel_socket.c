/* The calls that carry datagrams. */
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
    socklen_t size = endpoint_size(&datagram->from);
    expect(message->msg_hdr.msg_namelen >= size, "there is room for the sender's address");
    ASAN_UNPOISON_MEMORY_REGION(piece->iov_base, piece->iov_len);
    memcpy(piece->iov_base, datagram->bytes, length);
    ASAN_POISON_MEMORY_REGION((uint8_t *)piece->iov_base + length, piece->iov_len - length);
    memcpy(message->msg_hdr.msg_name, &datagram->from, size);
    message->msg_hdr.msg_namelen = size;
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
    const union endpoint *to = message->msg_name;
    uint32_t length = 0, size = segment_size(message);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        length += (uint32_t)message->msg_iov[i].iov_len;
    return (struct asked){
        .call = "sendmmsg",
        .kind = size > 0 ? "segmented" : "single",
        .length = size > 0 ? size : length,
        .to = endpoint_address(to),
    };
}

static void tell_message(const char *call, const union endpoint *to, uint32_t size, const struct iovec *pieces,
                         size_t count)
{
    char text[INET6_ADDRSTRLEN], before[96];
    struct address address = endpoint_address(to);
    expect(to->any.sa_family == (kernel.family == 6 ? AF_INET6 : AF_INET), "addresses are of the sockets' family");
    inet_ntop(to->any.sa_family, &address, text, sizeof text);
    snprintf(before, sizeof before, "%s %s %u %u", call, text, ntohs(endpoint_port(to)), size);
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
        expect(message->msg_namelen == endpoint_size(message->msg_name), "an address is as long as its family has it");
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
    union endpoint address;
    expect(fd == FD_SOCKET || fd == FD_RAW, "they send by their own sockets");
    expect(flags & MSG_DONTWAIT, "packets are sent without waiting");
    expect(size <= sizeof address, "an address is no longer than one of IPv6");
    memcpy(&address, to, size);
    expect(size == endpoint_size(&address), "an address is as long as its family has it");
    const char *call = fd == FD_RAW ? "icmp" : "sendto";
    kernel_lock();
    int error = kernel_refuse(
        (struct asked){.call = call, .kind = "packet", .length = (uint32_t)length, .to = endpoint_address(&address)});
    if (error == 0)
        tell_message(call, &address, 0, &(struct iovec){(void *)bytes, length}, 1);
    kernel_unlock();
    return error == 0 ? (ssize_t)length : refused(error);
}
