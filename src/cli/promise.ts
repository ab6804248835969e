// Volumes are thin: together they may promise more than the disks have, which an operator is told.
import type { Status } from '../api/schema.ts'
import { formatSize } from '../base/figures.ts'

/** A sentence, or null: the disks have room for all that is promised, or not all members say what they have. */
export function overPromise({
  volumes,
  members,
}: Pick<Status, 'volumes' | 'members'>): string | null {
  let free = 0
  for (const { usedBytes, freeBytes } of members) {
    if (usedBytes === null || freeBytes === null) return null
    free += freeBytes
  }
  const unwritten = volumes.bytes - volumes.allocatedBytes
  if (unwritten <= free) return null
  return (
    `The volumes may still take ${formatSize(unwritten)}, and ${formatSize(free)} are free: ` +
    'once that is used up, writes that need more are refused.'
  )
}
