/** Where whoever carries changes out finds the secrets that objects only name. */
export interface Secrets {
  /** The secret of a fingerprint, or the private key of a public one; undefined where this host does not know it. */
  find(name: string): Uint8Array | undefined;
}
