/** What stands for a secret where it is shown or compared. */

/**
 * 16 hex digits that tell one secret from another, and nothing of it to whoever does not know it: the beginning of its
 * SHA-256 (FIPS 180-4). The secret must be one that cannot be guessed.
 */
export function fingerprint(secret: Uint8Array): string {
  // Loaded here and not by an import, which would cost every command a tenth of a second.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(secret).digest("hex").slice(0, 16);
}
