// How much memory a member gives to blocks that are read often, where nobody says it.
import { totalmem } from 'node:os'

const MIB = 2 ** 20
/** Of the machine's memory, for all of its members together: the kernel's own cache has the same blocks, for all who read. */
const SHARE = 1 / 16
const LEAST_BYTES = 8 * MIB
/** Of one member, so that what its process takes stays within what is told of it. */
const MOST_BYTES = 256 * MIB

/** Of one of so many members on a machine with so much memory. */
export function cacheShare(memoryBytes: number, members: number): number {
  const share = Math.floor((memoryBytes * SHARE) / members)
  return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, share))
}

/** Of the machine, or of the container that this process is in. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
