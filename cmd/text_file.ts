/** Text files that a person names: bounded, whatever they are. */

/** The largest file that is read where nothing else is said, in bytes. */
export const MAX_BYTES = 1 << 20;

/**
 * The text of a file, a pipe or a device. Throws TypeError for more than `limit` bytes and for what is not
 * UTF-8, and what Deno throws. The size is not asked for beforehand, because pipes and devices have none.
 */
export function readTextFile(path: string, limit: number = MAX_BYTES): string {
  using file = Deno.openSync(path, { read: true });
  let bytes = new Uint8Array(Math.min(limit, MAX_BYTES) + 1);
  let length = 0;
  while (true) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) return decode(bytes.subarray(0, length));
    length += read;
    if (length > limit) throw new TypeError(`it is larger than ${limit} bytes`);
    if (length === bytes.length) {
      const larger = new Uint8Array(Math.min(limit, 2 * length) + 1);
      larger.set(bytes);
      bytes = larger;
    }
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TypeError("it is not UTF-8 text");
  }
}
