/** Ethernet addresses: parsed strictly, written as six lower-case hex pairs with colons. */
import { invalid } from "./errors.ts";
import { quoted } from "./text.ts";

/** Parses `aa:bb:cc:dd:ee:ff` (either case) into canonical text. Throws `invalid` for anything else. */
export function parseMac(text: string): string {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw invalid(
      "net.mac",
      `Cannot parse MAC address ${quoted(text)}: six hex pairs with colons are needed`,
    );
  }
  return text.toLowerCase();
}

export function macFromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(":");
}

/** Whether the address can be one station's: not all zero, and the group bit (IEEE 802, bit 0) is clear. */
export function isStationMac(mac: string): boolean {
  return mac !== "00:00:00:00:00:00" && (parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

/** A locally administered unicast address (IEEE 802: bit 1 set, bit 0 clear) from six random bytes. */
export function localMac(random: Uint8Array): string {
  const bytes = random.slice(0, 6);
  bytes[0] = (bytes[0]! & 0xfe) | 0x02;
  return macFromBytes(bytes);
}
