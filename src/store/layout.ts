// The bytes of a data folder. Every offset is derived from the one before it, so that code and DESIGN.md cannot disagree
// in silence: the test draws the figures of DESIGN.md from these tables. Numbers are big-endian.
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'

/** Raised with any change of these bytes. A store refuses a folder of another format. */
export const FORMAT = 6

/** The layer of a volume that a page belongs to: every page is named with its own, so that snapshots, which have more of them, need no other format. This release writes and reads only this one. */
export const BASE_LAYER = 0

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512
export const BLOCKS_PER_PAGE = PAGE_BYTES / BLOCK_BYTES
/** Consecutive pages of a volume that share a lane. */
export const PAGES_PER_RUN = RUN_BYTES / PAGE_BYTES
/** One bit a block of a page. */
export const MAP_WORDS = BLOCKS_PER_PAGE / 32

export const paths = {
  superblock: 'super',
  /** Written whole and synced, then renamed: a superblock appears at once or not at all. */
  superblockDraft: 'super.new',
  journal: 'journal',
  checkpoints: ['index.A', 'index.B'],
  segments: 'data',
  /** Where scrubbing stands; without it a pass begins anew. */
  scrub: 'scrub',
  /** Where a folder goes that is given up. */
  setAside: (number: number) => `set-aside-${number}`,
  segment: (number: number) => `data/${String(number).padStart(6, '0')}`,
} as const

type Offsets<F extends Record<string, number>> = { readonly [K in keyof F]: number } & {
  /** The first byte after the last field. */
  readonly end: number
}

/** The offset of each field, given the fields' lengths in their order. */
function derive<const F extends Record<string, number>>(fields: F): Offsets<F> {
  const offsets: Record<string, number> = {}
  let at = 0
  for (const [name, bytes] of Object.entries(fields)) {
    offsets[name] = at
    at += bytes
  }
  return { ...offsets, end: at } as Offsets<F>
}

const CHECKSUM_BYTES = 4

// --- superblock: two copies in one file, each in a block of its own

export const SUPER_MAGIC = 0x454b5331 // 'EKS1'
export const SUPER_NAME_BYTES = 128
export const SUPER_COPY_BYTES = BLOCK_BYTES
export const SUPER = derive({
  magic: 4,
  format: 4,
  journalBytes: 8,
  slotsPerSegment: 4,
  folderId: SUPER_NAME_BYTES,
  groupId: SUPER_NAME_BYTES,
  memberId: SUPER_NAME_BYTES,
  checksum: CHECKSUM_BYTES,
})

// --- journal: a ring of sectors; a record is a header of one sector and its payload

export const RECORD_MAGIC = 0x454b4a31 // 'EKJ1'
export const RECORD_BYTES = SECTOR_BYTES
/** Blocks of one record: as many as have their checksums in one sector beside the fixed fields. */
export const RECORD_BLOCKS = 64
export const RECORD = derive({
  magic: 4,
  kind: 1,
  part: 2,
  parts: 2,
  blocks: 2,
  jseq: 8,
  syncedUpTo: 8,
  checkpoint: 8,
  slice: 4,
  epoch: 8,
  seq: 8,
  session: 8,
  gen: 8,
  number: 8,
  acknowledged: 8,
  volume: 8,
  layer: 4,
  offset: 8,
  bytes: 8,
  checksums: RECORD_BLOCKS * CHECKSUM_BYTES,
  slot: 4,
  born: 8,
})
/** The header's own checksum is its last field, over everything before it. */
export const RECORD_CHECKSUM = RECORD_BYTES - CHECKSUM_BYTES

export const recordKind = {
  write: 1,
  unmap: 2,
  dropVolume: 3,
  /** The rest of the ring is empty; the next record is at its beginning. */
  pad: 4,
  /** Epochs that the member is about to raise; its payload is a list of them. */
  promise: 5,
  /** What the member has of a slice is gone; its epoch is that under which it was dropped. */
  dropSlice: 6,
  /** A write whose blocks go straight into a slot: the record names it, and brings nothing but their checksums. */
  direct: 7,
  /** What the member has of a page is gone, stamp and all; its blocks, as another member has them, follow as writes. */
  install: 8,
  /** Operations of a slice that another member remembers; its payload is a list of them, as in a checkpoint. */
  adopt: 9,
} as const
/** An epoch that was promised, in a record of the journal and in a checkpoint. */
export const PROMISE = derive({
  slice: 4,
  epoch: 8,
})

// --- slot: two copies of the header, then the page's blocks

export const SLOT_MAGIC = 0x454b5031 // 'EKP1'
export const HEADER_COPY_BYTES = 2048
export const SLOT_HEADER_BYTES = 2 * HEADER_COPY_BYTES
export const SLOT_BYTES = SLOT_HEADER_BYTES + PAGE_BYTES
export const HEADER = derive({
  magic: 4,
  slice: 4,
  volume: 8,
  layer: 4,
  page: 8,
  version: 8,
  epoch: 8,
  seq: 8,
  present: MAP_WORDS * 4,
  damaged: MAP_WORDS * 4,
  checksums: BLOCKS_PER_PAGE * CHECKSUM_BYTES,
})
export const HEADER_CHECKSUM = HEADER_COPY_BYTES - CHECKSUM_BYTES

// --- segment: its slots, then a foot that says which segment this is

export const SEGMENT_MAGIC = 0x454b4731 // 'EKG1'
export const SEGMENT_FOOT_BYTES = BLOCK_BYTES
export const SEGMENT = derive({
  magic: 4,
  number: 4,
  born: 8,
  checksum: CHECKSUM_BYTES,
})

// --- checkpoint: a head of one block, then pages, slices, segments, remembered operations, promised epochs, lost pages

export const CHECKPOINT_MAGIC = 0x454b4331 // 'EKC1'
export const CHECKPOINT_HEAD_BYTES = BLOCK_BYTES
export const CHECKPOINT = derive({
  magic: 4,
  format: 4,
  sequence: 8,
  tail: 8,
  syncedUpTo: 8,
  pages: 8,
  slices: 8,
  segments: 8,
  segmentsMade: 8,
  operationBytes: 8,
  promises: 8,
  lostBytes: 8,
  bodyChecksum: CHECKSUM_BYTES,
  checksum: CHECKSUM_BYTES,
})
export const PAGE_ENTRY = derive({
  volume: 8,
  layer: 4,
  page: 8,
  version: 8,
  epoch: 8,
  seq: 8,
  slot: 4,
  present: 2,
  slice: 2,
})
/** Of a page entry without a slot: a tombstone. */
export const TOMBSTONE_SLOT = 0xffffffff
/** What is known of a slice as a whole: slice-index.ts. */
export const SLICE_ENTRY = derive({
  slice: 4,
  newestEpoch: 8,
  newestSeq: 8,
  foldedEpoch: 8,
  foldedSeq: 8,
})
export const SEGMENT_ENTRY = derive({
  number: 4,
  born: 8,
})
/** A volume whose pages were in a folder that was given up: this head, then `chunks` bitmaps, each after its number. */
export const LOST = derive({
  volume: 8,
  layer: 4,
  pages: 8,
  held: 8,
  chunks: 8,
})
/** One bit a page that is at home here since, or was unmapped. */
export const LOST_CHUNK_PAGES = 65_536
export const LOST_CHUNK = derive({
  chunk: 8,
  found: LOST_CHUNK_PAGES / 8,
})
/** What is remembered of one session on one slice: this head, then `count` operations of eight bytes. */
export const OPERATIONS = derive({
  session: 8,
  gen: 8,
  slice: 4,
  count: 4,
  upTo: 8,
})

// --- scrub: where a pass stands

export const SCRUB_MAGIC = 0x454b5231 // 'EKR1'
/** Damaged pages that are kept beside it: volume and page, 8 bytes each. */
export const SCRUB_DAMAGED = 250
export const SCRUB_DAMAGED_BYTES = 16
export const SCRUB = derive({
  magic: 4,
  segment: 4,
  begunMs: 8,
  allReadSinceMs: 8,
  blocks: 8,
  badPages: 8,
  count: 4,
  damaged: SCRUB_DAMAGED * SCRUB_DAMAGED_BYTES,
  checksum: CHECKSUM_BYTES,
})
