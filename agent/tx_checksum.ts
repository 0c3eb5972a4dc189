/** Who computes the checksums of vxlan packets, as a setting. A file of its own: every command knows the settings. */

export const txChecksums = ["auto", "on", "off"] as const;

/** Whether the device offloads checksums; `auto` leaves it as the kernel has it. */
export type TxChecksum = (typeof txChecksums)[number];
