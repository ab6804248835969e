// What a store is opened with. Sizes of the folder count only when it is made: an existing folder keeps its own.
import type { Epoch, MemberId, SliceId } from '../base/ids.ts'
import type { StoreKnowledge } from './look.ts'
import type { HeldVolume } from './lost-pages.ts'

/** What the group's record says of the member's folder. */
export interface KnownFolder {
  readonly folderId: string
  /** Everything before this position of its journal was durable. */
  readonly position: number
  /** It was not closed since the group saw it opened, as this file (Disk.identityOf of its superblock); null: it was. */
  readonly openAs: string | null
  /** Of the slices whose primary the member is. */
  readonly epochs: ReadonlyMap<SliceId, Epoch>
}

/** An operator's word about a folder that is refused, for one start. */
export type Accept =
  | 'nothing'
  /** Go on with what is there, although acknowledged writes are missing from it: some blocks may be older than what was answered. */
  | 'damage'
  /** Set aside what is there and begin anew: what the folder held is lost. */
  | 'loss'

export interface StoreSettings {
  /** The folder must belong to this group and member, or it is refused. */
  readonly groupId: string
  readonly memberId: MemberId
  /** Random; the id of the folder if it is made now. */
  readonly newFolderId: string
  readonly journalBytes: number
  readonly slotsPerSegment: number
  /** Bytes that segments may take; null: what the disk has free. */
  readonly budgetBytes: number | null
  /** New pages are refused when slots take more than this part of the budget. */
  readonly fullAt: number
  /** Bound of the blocks that are durable in the journal alone and kept in memory until they are home. */
  readonly overlayBytes: number
  /** Pages whose slot headers are kept in memory, about 1.1 KiB each; the others are read again when needed. */
  readonly cachedPages: number
  /** Bound of the blocks of pages at home that are kept in memory when they are read often; 0: none are. */
  readonly cacheBytes: number
  /** A block goes home at the latest this long after it became durable, if the disk keeps up. */
  readonly homeAfterMs: number
  /** Runs of pages that hold nothing but tombstones: of each 16 pages up to 0.7 KiB of memory, and 0.8 KiB of a checkpoint. */
  readonly tombstoneRuns: number
  /** So many pages may have blocks in a direct slot at once (direct-writes.ts), and up to four times as many slots take room beside the pages' own: those of this round, those of the one under way, and twice as many that are kept for what comes; 0: every write goes into the journal. */
  readonly directPages: number
  /** Writes of at least so many bytes may go straight into a slot … */
  readonly directBytes: number
  /** … once so many follow one another, or if they write a page whole. */
  readonly directAfterBytes: number
  /** Only to pages that have at least so many blocks at home: a direct slot takes the room of a whole page. */
  readonly directLeastBlocks: number
  readonly checkpointAfterMs: number
  /** Every page is read against its checksums once in so long (scrub.ts); 0: only if that is asked for. */
  readonly scrubEveryMs: number
  /** Null: the group knows no folder of this member. */
  readonly known: KnownFolder | null
  readonly accept: Accept
  /** Throws if the group's record is not what came of the one that this store was used with. Nothing has been changed then. */
  readonly judge: (knowledge: StoreKnowledge) => void
  /** Volumes that a folder which is given up may have held pages of. */
  readonly volumesHeld: readonly HeldVolume[]
}

export const storeDefaults = {
  journalBytes: 64 * 1024 * 1024,
  slotsPerSegment: 64,
  budgetBytes: null,
  fullAt: 0.95,
  overlayBytes: 64 * 1024 * 1024,
  cachedPages: 8192,
  cacheBytes: 0,
  homeAfterMs: 1000,
  tombstoneRuns: 16_384,
  directPages: 64,
  directBytes: 64 * 1024,
  directAfterBytes: 1024 * 1024,
  directLeastBlocks: 128,
  checkpointAfterMs: 30_000,
  scrubEveryMs: 0,
  known: null,
  accept: 'nothing',
  judge: () => {},
  volumesHeld: [],
} as const
