/* The calls that set a socket up, and those that ask how much fits the way to a host. */
#define _GNU_SOURCE
#include "kernel.h"
#include "since.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

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

int __wrap_socket(int domain, int type, int protocol)
{
    expect(domain == (kernel.family == 6 ? AF_INET6 : AF_INET) && type == (SOCK_DGRAM | SOCK_CLOEXEC) && protocol == 0, "only the MTU needs a socket");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "socket", .kind = "udp"});
    if (error == 0)
        kernel.probes++;
    kernel_unlock();
    return error == 0 ? FD_PROBE : refused(error);
}

/* The host's address and the proxy's port. */
static union endpoint own_address(uint16_t port)
{
    static const uint8_t ipv4[] = {192, 0, 2, 1};
    static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    struct address own = kernel.family == 6 ? address_read(ipv6, sizeof ipv6) : address_read(ipv4, sizeof ipv4);
    return endpoint_of(kernel.family, own, htons(port));
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    union endpoint own = own_address(8285);
    expect(fd == FD_SOCKET && *size >= endpoint_size(&own), "only the socket's own address is asked for");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "getsockname", .kind = "udp"});
    kernel_unlock();
    if (error != 0)
        return refused(error);
    *size = endpoint_size(&own);
    memcpy(address, &own, *size);
    return 0;
}

/* The port stays free for the kernel to choose: the proxy's is taken. */
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    union endpoint own = own_address(0);
    expect(fd == FD_PROBE && size == endpoint_size(&own) && memcmp(address, &own, size) == 0,
           "the MTU is asked for from the socket's own address");
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "bind", .kind = "udp"});
    kernel_unlock();
    return error == 0 ? 0 : refused(error);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
    union endpoint address;
    expect(fd == FD_PROBE && size <= sizeof address, "only the MTU needs a connection");
    memcpy(&address, to, size);
    kernel_lock();
    int error = kernel_refuse((struct asked){.call = "connect", .kind = "udp", .to = endpoint_address(&address)});
    if (error == 0)
        tell("connect");
    kernel_unlock();
    return error == 0 ? 0 : refused(error);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    expect(fd == FD_PROBE && (kernel.family == 6 ? level == IPPROTO_IPV6 && name == IPV6_MTU : level == IPPROTO_IP && name == IP_MTU) && *size == sizeof(int), "only the MTU is asked for");
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
        {SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF"},          {IPPROTO_IPV6, IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER"},
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
