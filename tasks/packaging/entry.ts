/** One thing that an installation consists of. */

interface Placed {
  /** Absolute, as it will be found on the host. */
  readonly path: string;
}

export interface FileEntry extends Placed {
  readonly kind: "file";
  /** Permission bits. */
  readonly mode: 0o644 | 0o755;
  /** The bytes, the text, or the file that has them. */
  readonly content: Uint8Array | string | { readonly file: string };
  /** An administrator's to change: never written over, and left when flan is taken away. */
  readonly keep?: boolean;
}

export interface LinkEntry extends Placed {
  readonly kind: "link";
  /** Relative to the folder that the link lies in. */
  readonly target: string;
}

export type Entry = FileEntry | LinkEntry;
