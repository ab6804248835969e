// How much memory blocks that are read often may take where nobody has said.

/** Of the memory of the machine, all its members together. */
const PART = 1 / 16
/** More is for whoever says so: it is worth it only if what is read often is as much. */
const MEMBER_MOST_BYTES = 1024 ** 3

/** Of each of so many members on a machine with so much memory. */
export function defaultCacheBytes(machineBytes: number, members: number): number {
  return Math.min(MEMBER_MOST_BYTES, Math.floor((machineBytes * PART) / members))
}
