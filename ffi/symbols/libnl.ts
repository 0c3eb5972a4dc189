/**
 * What flan calls in libnl-3: its functions for messages and attributes (netlink/msg.h, netlink/attr.h). Every
 * int result is 0 or a negative NLE_ number, unless noted.
 */
export const libnlSymbols = {
  nlmsg_alloc_size: {
    parameters: ["usize"], // size_t max
    result: "pointer", // struct nl_msg *
  },
  nlmsg_free: {
    parameters: ["pointer"], // struct nl_msg *
    result: "void",
  },
  nlmsg_hdr: {
    parameters: ["pointer"], // struct nl_msg *
    result: "pointer", // struct nlmsghdr *
  },
  nlmsg_append: {
    parameters: [
      "pointer", // struct nl_msg *
      "buffer", // void *data
      "usize", // size_t len
      "i32", // int pad
    ],
    result: "i32", // int
  },
  nla_put: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
      "i32", // int datalen
      "buffer", // const void *data
    ],
    result: "i32", // int
  },
  nla_put_u8: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
      "u8", // uint8_t value
    ],
    result: "i32", // int
  },
  nla_put_u16: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
      "u16", // uint16_t value
    ],
    result: "i32", // int
  },
  nla_put_u32: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
      "u32", // uint32_t value
    ],
    result: "i32", // int
  },
  nla_put_flag: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
    ],
    result: "i32", // int
  },
  nla_nest_start: {
    parameters: [
      "pointer", // struct nl_msg *
      "i32", // int attrtype
    ],
    result: "pointer", // struct nlattr *, or NULL where the message is full
  },
  nla_nest_end: {
    parameters: [
      "pointer", // struct nl_msg *
      "pointer", // struct nlattr *start
    ],
    result: "i32", // int
  },
  nlmsg_parse: {
    parameters: [
      "buffer", // struct nlmsghdr *
      "i32", // int hdrlen
      "buffer", // struct nlattr *tb[]
      "i32", // int maxtype
      "buffer", // const struct nla_policy *
    ],
    result: "i32", // int
  },
  nla_parse: {
    parameters: [
      "buffer", // struct nlattr *tb[]
      "i32", // int maxtype
      "buffer", // struct nlattr *head
      "i32", // int len
      "buffer", // const struct nla_policy *
    ],
    result: "i32", // int
  },
  nl_geterror: {
    parameters: ["i32"], // int error
    result: "pointer", // const char *
  },
} as const satisfies Deno.ForeignLibraryInterface;
