/* Asking the kernel for what makes it fast, one feature at a time. */
#include "since.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Bounds the delay that a full queue makes, and still holds 8 super-packets of Linux's accounting. */
#define SEND_BUFFER (1 << 20)
/* Rides out a busy processor; Linux counts the buffers' real size against it, several times the payload. */
#define RECEIVE_BUFFER (8 << 20)

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* Beyond net.core.[rw]mem_max where we may, or else up to it. */
static void set_buffer(int fd, int forced, int plain, int size)
{
    if (set_option(fd, SOL_SOCKET, forced, size) < 0)
        set_option(fd, SOL_SOCKET, plain, size);
}

static int set_offloads(int tun, unsigned int offloads)
{
    return ioctl(tun, TUNSETOFFLOAD, offloads);
}

/* What the kernel hands over unfinished. UDP_L4 frames can be written to a TUN that takes USO, so we ask for it. */
static uint32_t enable_tun(uint32_t family, int tun, uint32_t features)
{
    /* TSO6 and USO6 go with the others, whichever family is carried. */
    const unsigned int tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    const unsigned int udp = TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6;
    bool knows_udp = set_offloads(tun, udp) == 0;
    uint32_t enabled = features & FLAN_JOIN_TCP;
    if (knows_udp)
        enabled |= features & FLAN_JOIN_UDP;
    if (features & FLAN_TUN_OFFLOAD) {
        uint32_t uso = knows_udp ? features & FLAN_TUN_USO : 0;
        if (set_offloads(tun, tcp | (uso ? udp : 0)) == 0)
            return enabled | FLAN_TUN_OFFLOAD | uso;
        if (set_offloads(tun, TUN_F_CSUM | (family == 6 ? TUN_F_TSO6 : TUN_F_TSO4)) == 0)
            return enabled | FLAN_TUN_OFFLOAD;
    }
    set_offloads(tun, 0);
    return enabled;
}

int64_t features_enable(uint32_t family, struct flan_queue queue, uint32_t features)
{
    int header = sizeof(struct virtio_net_hdr);
    /* One that blocks could not be stopped. */
    if (!(fcntl(queue.tun, F_GETFL) & O_NONBLOCK) || !(fcntl(queue.socket, F_GETFL) & O_NONBLOCK))
        return -EINVAL;
    if (ioctl(queue.tun, TUNSETVNETHDRSZ, &header) < 0)
        return -errno;
    /* Packets that do not fit the way are ours to fragment or to refuse: the outer ones never are fragmented. */
    bool ipv6 = family == 6;
    if ((ipv6 ? set_option(queue.socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
              : set_option(queue.socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)) < 0)
        return -errno;
    set_buffer(queue.socket, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
    set_buffer(queue.socket, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER);
    uint32_t enabled = enable_tun(family, queue.tun, features);
    /* 0 changes nothing: it asks whether the kernel knows the option. */
    if (features & FLAN_UDP_SEGMENT && set_option(queue.socket, IPPROTO_UDP, UDP_SEGMENT, 0) == 0)
        enabled |= FLAN_UDP_SEGMENT;
    int gro = (features & FLAN_UDP_GRO) != 0;
    if (set_option(queue.socket, IPPROTO_UDP, UDP_GRO, gro) == 0 && gro)
        enabled |= FLAN_UDP_GRO;
    return enabled;
}
