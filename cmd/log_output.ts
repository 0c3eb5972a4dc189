/** The bytes of the log, on stderr or in a file. */

/** Writes all of `text` before it returns. A log that cannot be written (disk full, closed pipe) must not stop the network. */
export function writeLog(file: { writeSync(bytes: Uint8Array): number }, text: string): void {
  try {
    let rest: Uint8Array = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  } catch { /* there is nowhere left to say so */ }
}
