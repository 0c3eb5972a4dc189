/** What flan calls in the C library, each parameter with its C type (man sections 2 and 3). */
export const libcSymbols = {
  __errno_location: { parameters: [], result: "pointer" }, // int *
  socket: {
    parameters: [
      "i32", // int domain
      "i32", // int type
      "i32", // int protocol
    ],
    result: "i32", // int
  },
  bind: {
    parameters: [
      "i32", // int fd
      "buffer", // const struct sockaddr *
      "u32", // socklen_t
    ],
    result: "i32", // int
  },
  getsockname: {
    parameters: [
      "i32", // int fd
      "buffer", // struct sockaddr *
      "buffer", // socklen_t *
    ],
    result: "i32", // int
  },
  setsockopt: {
    parameters: [
      "i32", // int fd
      "i32", // int level
      "i32", // int optname
      "buffer", // const void *optval
      "u32", // socklen_t optlen
    ],
    result: "i32", // int
  },
  sendto: {
    parameters: [
      "i32", // int fd
      "buffer", // const void *buf
      "usize", // size_t len
      "i32", // int flags
      "buffer", // const struct sockaddr *
      "u32", // socklen_t
    ],
    result: "isize", // ssize_t
  },
  recvfrom: {
    parameters: [
      "i32", // int fd
      "buffer", // void *buf
      "usize", // size_t len
      "i32", // int flags
      "buffer", // struct sockaddr *
      "buffer", // socklen_t *
    ],
    result: "isize", // ssize_t
  },
  epoll_create1: {
    parameters: ["i32"], // int flags
    result: "i32", // int
  },
  epoll_ctl: {
    parameters: [
      "i32", // int epfd
      "i32", // int op
      "i32", // int fd
      "buffer", // struct epoll_event *
    ],
    result: "i32", // int
  },
  epoll_wait: {
    parameters: [
      "i32", // int epfd
      "buffer", // struct epoll_event *
      "i32", // int maxevents
      "i32", // int timeout
    ],
    result: "i32", // int
    nonblocking: true,
  },
  eventfd: {
    parameters: [
      "u32", // unsigned int initval
      "i32", // int flags
    ],
    result: "i32", // int
  },
  eventfd_read: {
    parameters: [
      "i32", // int fd
      "buffer", // eventfd_t *value
    ],
    result: "i32", // int
  },
  eventfd_write: {
    parameters: [
      "i32", // int fd
      "u64", // eventfd_t value
    ],
    result: "i32", // int
  },
  if_nametoindex: {
    parameters: ["buffer"], // const char *ifname
    result: "u32", // unsigned int
  },
  open: {
    parameters: [
      "buffer", // const char *pathname
      "i32", // int flags
    ],
    result: "i32", // int
  },
  // Variadic: on x86-64 and on arm64's Linux the third argument goes where a fixed one would go.
  ioctl: {
    parameters: [
      "i32", // int fd
      "usize", // unsigned long request
      "buffer", // char *argp
    ],
    result: "i32", // int
  },
  ioctlNumber: {
    name: "ioctl",
    parameters: [
      "i32", // int fd
      "usize", // unsigned long request
      "usize", // unsigned long
    ],
    result: "i32", // int
  },
  // Variadic, as ioctl.
  syscall: {
    parameters: [
      "isize", // long number
      "isize", // long
      "isize", // long
    ],
    result: "isize", // long
  },
  if_indextoname: {
    parameters: [
      "u32", // unsigned int ifindex
      "buffer", // char ifname[IF_NAMESIZE]
    ],
    result: "pointer", // char *
  },
  close: {
    parameters: ["i32"], // int fd
    result: "i32", // int
  },
} as const satisfies Deno.ForeignLibraryInterface;
