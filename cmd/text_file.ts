/** Text files that a person names: bounded, whatever they are. */

/** The largest file that is read, in bytes. */
export const MAX_BYTES = 1 << 20;

/**
 * The text of a file, a pipe or a device. Throws TypeError for more than {@link MAX_BYTES} and for what is not
 * UTF-8, and what Deno throws. The size is not asked for beforehand, because pipes and devices have none.
 */
export function readTextFile(path: string): string {
  using file = Deno.openSync(path, { read: true });
  const bytes = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) return decode(bytes.subarray(0, length));
    length += read;
  }
  throw new TypeError(`it is larger than ${MAX_BYTES} bytes`);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TypeError("it is not UTF-8 text");
  }
}
