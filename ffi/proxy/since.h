/* What the kernel headers of older systems lack. The running kernel is asked before any of it is used. */
#ifndef FLAN_SINCE_H
#define FLAN_SINCE_H

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

/* linux/udp.h: Linux 4.18 and 5.0. It does not go together with netinet/udp.h, and nothing else of it is needed. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* linux/virtio_net.h and linux/if_tun.h: Linux 6.2. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#endif
