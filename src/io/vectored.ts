// Writes of several parts, of which the kernel may take less than all.

/** What is left of the parts after so many bytes. */
export function without(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  for (const [i, part] of parts.entries()) {
    if (skip < part.length) return [part.subarray(skip), ...parts.slice(i + 1)]
    skip -= part.length
  }
  return []
}
