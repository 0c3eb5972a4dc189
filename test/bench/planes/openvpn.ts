/** OpenVPN between two points, without cipher and authentication: a packet a datagram and a system call. */
import { overlay, type Plane } from "./plane.ts";

/** 1500 less the headers of IPv4 and UDP: in this mode OpenVPN adds none. */
const MTU = 1472;

export const openvpn: Plane = {
  name: "openvpn",
  about: `Debian's openvpn, cipher none, auth none, fast-io, MTU ${MTU}`,
  measures: "all",
  async make(pair) {
    for (const [i, host] of pair.hosts.entries()) {
      const options = [
        `--dev tun0 --dev-type tun --proto udp4 --local ${host.address} --remote ${
          pair.peerOf(host).address
        }`,
        `--ifconfig ${overlay[i]} ${overlay[1 - i]} --cipher none --auth none --disable-dco`,
        `--tun-mtu ${MTU} --mssfix 0 --txqueuelen 1000 --sndbuf 4194304 --rcvbuf 4194304 --fast-io`,
      ].join(" ");
      const daemon = pair.start(host, ["openvpn", ...options.split(" ")]);
      // This line is about the way out alone: it is printed without a word from the other side.
      await daemon.out.line(/UDPv4 link remote/);
    }
    return overlay[1];
  },
};
