// Sizes on which rooms agree that do not know each other.

/** What is written whole and checksummed, and what unmapping gives back: the physical block that initiators are told of. */
export const BLOCK_BYTES = 4096
/** The unit in which members make room for a volume on their disks. */
export const PAGE_BYTES = 1024 * 1024
/** Consecutive bytes of a volume that share a lane: no operation crosses their end. */
export const RUN_BYTES = 16 * PAGE_BYTES
/** What one operation moves at most. */
export const OPERATION_BYTES_MAX = 1024 * 1024
/** What one operation unmaps at most: the length has 32 bits on the wire. */
export const UNMAP_BYTES_MAX = 2 * 1024 ** 3
export const VOLUME_BYTES_MIN = PAGE_BYTES
export const VOLUME_BYTES_MAX = 256 * 1024 ** 4
/** The logical blocks that a volume may have. */
export const LOGICAL_BLOCKS = [512, 4096] as const

export type LogicalBlockBytes = (typeof LOGICAL_BLOCKS)[number]

/** Copies of a slice: more than three survive no more than the same host does. */
export const COPIES_MAX = 3
