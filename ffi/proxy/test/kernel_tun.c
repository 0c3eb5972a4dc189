/* The calls that have to do with the TUN device, and with waiting. */
#define _GNU_SOURCE
#include "kernel.h"
#include "since.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

int __real_poll(struct pollfd *entries, nfds_t count, int timeout);
int __real_close(int fd);

ssize_t __wrap_read(int fd, void *buffer, size_t room);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_close(int fd);

static int refused(int error)
{
    errno = error;
    return -1;
}

static struct item *next_frame(void)
{
    static _Thread_local uint32_t turn;
    if (kernel.flood)
        return &kernel.frames.list[turn++ % kernel.frames.count];
    return kernel.frames.taken < kernel.frames.count ? &kernel.frames.list[kernel.frames.taken++] : NULL;
}

/* What is behind a frame must not be looked at: a sanitizer is told. */
ssize_t __wrap_read(int fd, void *buffer, size_t room)
{
    expect(fd == FD_TUN, "only the TUN is read");
    ASAN_UNPOISON_MEMORY_REGION(buffer, room);
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "read", .kind = "frame"});
    struct item *frame = error == 0 ? next_frame() : NULL;
    kernel_unlock();
    if (frame == NULL)
        return refused(error == 0 ? EAGAIN : error);
    size_t length = frame->length < room ? frame->length : room;
    memcpy(buffer, frame->bytes, length);
    ASAN_POISON_MEMORY_REGION((uint8_t *)buffer + length, room - length);
    return (ssize_t)length;
}

static const char *kind_of(const struct virtio_net_hdr *offload)
{
    switch (offload->gso_type) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return "tcp";
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return "udp";
    default:
        return "single";
    }
}

ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count)
{
    size_t length = 0;
    expect(fd == FD_TUN, "only to the TUN is written");
    expect(pieces[0].iov_len == sizeof(struct virtio_net_hdr), "a frame begins with its offload header");
    for (int i = 0; i < count; i++)
        length += pieces[i].iov_len;
    kernel_lock();
    int error = kernel_refuse((struct asked){
        .call = "writev",
        .kind = kind_of(pieces[0].iov_base),
        .length = (uint32_t)(length - pieces[0].iov_len),
    });
    if (error == 0)
        tell_bytes("write", pieces, (size_t)count);
    kernel_unlock();
    return error == 0 ? (ssize_t)length : refused(error);
}

static int set_offloads(unsigned int offloads)
{
    bool known = (offloads & ~kernel.offloads) == 0;
    tell("offloads %#x %s", offloads, known ? "taken" : "EINVAL");
    return known ? 0 : EINVAL;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;
    va_start(values, request);
    expect(fd == FD_TUN && (request == TUNSETOFFLOAD || request == TUNSETVNETHDRSZ), "a known ioctl");
    kernel_lock();
    int error = kernel_refuse((struct asked){
        .call = "ioctl",
        .kind = request == TUNSETOFFLOAD ? "TUNSETOFFLOAD" : "TUNSETVNETHDRSZ",
    });
    if (error == 0 && request == TUNSETOFFLOAD)
        error = set_offloads(va_arg(values, unsigned int));
    kernel_unlock();
    va_end(values);
    return error == 0 ? 0 : refused(error);
}

int __wrap_fcntl(int fd, int command, ...)
{
    expect((fd == FD_TUN || fd == FD_SOCKET) && command == F_GETFL, "only flags are asked for");
    return kernel.blocking ? O_RDWR : O_RDWR | O_NONBLOCK;
}

static bool is_ready(const struct pollfd *entry)
{
    if (kernel.flood || entry->events == POLLOUT)
        return !kernel.full;
    const struct items *items = entry->fd == FD_TUN ? &kernel.frames : &kernel.datagrams;
    return items->taken < items->count;
}

/* The second entry is the real one: that the proxy shall stop. EBADF is told as poll does, by POLLNVAL. */
int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout)
{
    expect(count == 2 && timeout == -1, "they wait for a descriptor and for the end, and for nothing else");
    expect(entries[0].fd == FD_TUN || entries[0].fd == FD_SOCKET, "they wait for what is theirs");
    const char *kind = entries[0].fd == FD_TUN ? "tun" : entries[0].events == POLLOUT ? "room" : "socket";
    entries[0].revents = entries[1].revents = 0;
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "poll", .kind = kind});
    bool ready = error == 0 && is_ready(&entries[0]);
    if (error == 0)
        tell("poll %s %s", kind, ready ? "ready" : "waits");
    if (error == 0 && !ready) {
        kernel.idle++;
        kernel_wake();
    }
    kernel_unlock();
    if (error == EBADF)
        entries[0].revents = POLLNVAL;
    if (error != 0)
        return error == EBADF ? 1 : refused(error);
    entries[0].revents = ready ? entries[0].events : 0;
    return __real_poll(entries + 1, 1, ready ? 0 : -1) + ready;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    expect(clock == CLOCK_MONOTONIC_COARSE, "the clock never goes back");
    *time = (struct timespec){.tv_sec = (time_t)(kernel.now / 1000000000u), .tv_nsec = (long)(kernel.now % 1000000000u)};
    return 0;
}

int __wrap_close(int fd)
{
    if (fd != FD_PROBE)
        return __real_close(fd);
    kernel_lock();
    kernel.probes--;
    kernel_unlock();
    return 0;
}
