// One write, unmap or COMPARE AND WRITE at the primary, from its place in the order to its answer.
//
//   waiting ──its turn──▶ reading the rest of its blocks ──▶ comparing ──▶ writing ──durable──▶ over
//
// Whole blocks are written without reading; V2, V4 and V8 of primary.ts and V5 of slices.ts hold here.
//
// Invariants:
//   M1. An unmap never makes a block: one of which it takes a part is written over if anything else is left in it, and
//       unmapped if not. So what is absent stays absent, and it needs no room.
//   M2. No write is refused for want of room that unmaps or deletions before it have made.
//   M5. A write has its room before it has its number: one that there is no room for takes no number of its slice.
//   M3. An unmap of a volume of which pages are lost is done run by run: what is lost of each run is lost no more.
//   M4. Checksums that came with a write are those of its blocks in the store: only a block that is written in part, and so
//       is put together here, gets one anew.
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Epoch, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { Mutation, UnmapEdges } from '../peer/operation.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Reservation } from '../store/room.ts'
import type { BlockOrder, Extent, Turn } from './block-order.ts'
import type { CopiedOutcome } from './copy-set.ts'
import { ownRuns, type Striped } from './lanes.ts'
import type { CompareOutcome, ReadOutcome, Stale } from './outcome.ts'
import type { OperationWindow } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'

/** What is remembered of an operation: its outcome, or the turn that comes to it. */
export type Remembered = CompareOutcome | MutationTurn

/** Where a mutation has its turn. */
export interface TurnPlace {
  readonly primary: {
    readonly store: SliceStore
    readonly order: BlockOrder
    readOwn(volume: VolumeId, offset: number, into: Uint8Array): ReadOutcome | Promise<ReadOutcome>
    readonly epoch: Epoch
    /** V8 of primary.ts. */
    readonly isOver: boolean
    /** V11, V14 of primary.ts. */
    mustWait(extent: Extent): boolean
    whenMayWrite(f: () => void): void
    /** V12 of primary.ts. */
    readonly isCurrent: boolean
    whenCurrent(f: () => void): void
    /** V10 of primary.ts. */
    nextSeq(): number
    write(write: StoreWrite, room: Reservation): Promise<CopiedOutcome | 'full'>
  }
  readonly window: OperationWindow<Remembered>
  readonly striped: Striped
}

/** Its place in the order of its slice comes when it is handed in. */
type Unnumbered = { -readonly [K in keyof StoreWrite]: StoreWrite[K] }

export class MutationTurn implements Turn {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
  readonly outcome: Promise<CompareOutcome | Stale>
  /** Of the blocks that are written, as far as they are known. */
  #checksums: Uint32Array | null = null
  readonly #resolve: (outcome: CompareOutcome | Stale) => void
  readonly #reject: (cause: unknown) => void
  readonly #mutation: Mutation
  readonly #place: TurnPlace

  constructor(mutation: Mutation, place: TurnPlace) {
    const { volume, offset, bytes, data } = mutation
    this.volume = volume
    this.from = offset - (offset % BLOCK_BYTES)
    this.to = Math.ceil((offset + bytes) / BLOCK_BYTES) * BLOCK_BYTES
    mutation.seq = 0
    this.#mutation = mutation
    this.#place = place
    const { promise, resolve, reject } = Promise.withResolvers<CompareOutcome | Stale>()
    this.outcome = promise
    this.#resolve = resolve
    this.#reject = reject
    assert(data === null || data.length === bytes, 'a write has as many bytes as it names')
  }

  /** V10. 0: nothing of it has been written yet. */
  get seq(): number {
    return this.#mutation.seq
  }

  begin(): void {
    const { data, verify } = this.#mutation
    if (verify === null && this.#isWhole) {
      this.#checksums = this.#mutation.checksums
      if (data === null) this.#unmapBlocks(this.from, this.to, { head: null, tail: null })
      else this.#write(this.from, this.to, data, null)
      return
    }
    if (data === null) {
      this.#beginUnmap()
      return
    }
    const blocks = new Uint8Array(this.to - this.from)
    const read = this.#readRest(blocks)
    if (typeof read === 'string') this.#merge(blocks, read)
    else read.then((late) => this.#merge(blocks, late)).catch(this.#reject)
  }

  get #isWhole(): boolean {
    const { offset, bytes } = this.#mutation
    return this.from === offset && this.to === offset + bytes
  }

  /** Everything for a comparison, else only the first and last block, as far as they are not overwritten whole. */
  #readRest(blocks: Uint8Array): ReadOutcome | Promise<ReadOutcome> {
    const { volume, offset, bytes, verify } = this.#mutation
    const isOne = blocks.length === BLOCK_BYTES
    if (verify !== null || isOne) return this.#place.primary.readOwn(volume, this.from, blocks)
    const last = this.to - BLOCK_BYTES
    const head =
      offset > this.from
        ? this.#place.primary.readOwn(volume, this.from, blocks.subarray(0, BLOCK_BYTES))
        : 'done'
    const tail =
      offset + bytes < this.to
        ? this.#place.primary.readOwn(volume, last, blocks.subarray(blocks.length - BLOCK_BYTES))
        : 'done'
    if (typeof head === 'string' && typeof tail === 'string') return worse(head, tail)
    return Promise.all([head, tail]).then(([a, b]) => worse(a, b))
  }

  #merge(blocks: Uint8Array, read: ReadOutcome): void {
    const { offset, data, verify } = this.#mutation
    if (read !== 'done') {
      this.#leaveAsRead(read)
      return
    }
    const at = offset - this.from
    if (verify !== null) {
      const differs = firstDifference(blocks, at, verify)
      if (differs >= 0) {
        this.#leaveAsRead({ kind: 'miscompare', offset: differs })
        return
      }
    }
    if (data !== null) blocks.set(data, at)
    this.#checksums = this.#mergedChecksums(blocks)
    this.#write(this.from, this.to, blocks, null)
  }

  /** M4 */
  #mergedChecksums(blocks: Uint8Array): Uint32Array | null {
    const { offset, bytes, checksums } = this.#mutation
    if (checksums === null) return null
    const merged = checksums.slice()
    const last = merged.length - 1
    const sumOf = (block: number) =>
      crc32c(blocks.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
    if (offset > this.from) merged[0] = sumOf(0)
    if (offset + bytes < this.to) merged[last] = sumOf(last)
    return merged
  }

  /** M1 */
  #beginUnmap(): void {
    const { offset, bytes } = this.#mutation
    const end = offset + bytes
    const isOne = this.to - this.from === BLOCK_BYTES
    const head = offset > this.from ? new Uint8Array(BLOCK_BYTES) : null
    const tail = end < this.to && (head === null || !isOne) ? new Uint8Array(BLOCK_BYTES) : null
    const read = (at: number, block: Uint8Array | null) =>
      block === null ? 'done' : this.#place.primary.readOwn(this.volume, at, block)
    const first = read(this.from, head)
    const last = read(this.to - BLOCK_BYTES, tail)
    if (typeof first === 'string' && typeof last === 'string') {
      this.#unmap(head, tail, worse(first, last))
      return
    }
    Promise.all([first, last])
      .then(([a, b]) => this.#unmap(head, tail, worse(a, b)))
      .catch(this.#reject)
  }

  /** The blocks as they are before it; null: taken whole. */
  #unmap(head: Uint8Array | null, tail: Uint8Array | null, read: ReadOutcome): void {
    if (read !== 'done') {
      this.#leaveAsRead(read)
      return
    }
    const { offset, bytes } = this.#mutation
    head?.fill(0, offset - this.from, Math.min(BLOCK_BYTES, offset - this.from + bytes))
    tail?.fill(0, 0, offset + bytes - (this.to - BLOCK_BYTES))
    const before = head?.some(isNotZero) ? head : null
    const behind = tail?.some(isNotZero) ? tail : null
    const from = before === null ? this.from : this.from + BLOCK_BYTES
    const to = behind === null ? this.to : this.to - BLOCK_BYTES
    this.#unmapBlocks(from, to, { head: before, tail: behind })
  }

  #unmapBlocks(from: number, to: number, { head, tail }: UnmapEdges, isAgain = false): void {
    if (this.#isLate()) return
    if (!this.#place.primary.store.hasLost(this.volume)) {
      this.#write(from, to, null, head === null && tail === null ? null : { head, tail })
      return
    }
    if (this.#place.primary.mustWait(this)) {
      this.#place.primary.whenMayWrite(() => this.#unmapBlocks(from, to, { head, tail }, isAgain))
      return
    }
    // M3. The operation is that of the last one: when that is durable, all before it are.
    const parts = [
      ...(head === null ? [] : [{ from, to: from, edges: { head, tail: null } }]),
      ...(tail === null ? [] : [{ from: to, to, edges: { head: null, tail } }]),
      ...ownRuns(this.#place.striped, this.#mutation.slice, { from, to })
        .filter((run) => this.#holds(run.from, run.to))
        .map((run) => ({ ...run, edges: null })),
    ]
    if (parts.length === 0) {
      this.#leaveAsRead('done')
      return
    }
    const writes = parts.map((part, i) => {
      const write = this.#storeWrite(part.from, part.to, null, part.edges)
      if (i < parts.length - 1) write.number = 0
      const room = this.#place.primary.store.admit(write)
      assert(room !== null, 'an unmap needs no room')
      return this.#handIn(write, room)
    })
    Promise.all(writes)
      .then(async (outcomes) => {
        const outcome = worst(outcomes)
        if (outcome !== 'full' || isAgain) return this.#leave(outcome)
        // As in #writeAgain; nothing of it was done, since its parts stood together.
        await this.#place.primary.store.makeRoom()
        this.#unmapBlocks(from, to, { head, tail }, true)
      })
      .catch(this.#reject) // V5
  }

  /** ST9 of store/page-store.ts: an unmap that finds nothing is not written. */
  #holds(from: number, to: number): boolean {
    const { volume, slice } = this.#mutation
    return this.#place.primary.store.holds({ volume, slice, offset: from, bytes: to - from })
  }

  /** Without its number yet. */
  #storeWrite(
    from: number,
    to: number,
    data: Uint8Array | null,
    edges: UnmapEdges | null,
  ): Unnumbered {
    const { volume, slice, session, gen, number, acknowledged } = this.#mutation
    return {
      volume,
      slice,
      offset: from,
      bytes: to - from,
      session,
      gen,
      number,
      acknowledged,
      epoch: this.#place.primary.epoch,
      seq: 0,
      data,
      checksums: data === null ? null : this.#checksums,
      edges,
    }
  }

  #write(from: number, to: number, data: Uint8Array | null, edges: UnmapEdges | null): void {
    if (this.#isLate()) return
    if (this.#place.primary.mustWait(this)) {
      this.#place.primary.whenMayWrite(() => this.#write(from, to, data, edges))
      return
    }
    if (data === null && edges === null && !this.#holds(from, to)) {
      this.#leaveAsRead('done')
      return
    }
    const write = this.#storeWrite(from, to, data, edges)
    const room = this.#place.primary.store.admit(write)
    if (room === null)
      this.#writeAgain(write).catch(this.#reject) // V5
    else
      this.#handIn(write, room)
        .then((outcome) => (outcome === 'full' ? this.#writeAgain(write) : this.#leave(outcome)))
        .catch(this.#reject) // V5
  }

  /** V10 M5 */
  #handIn(write: Unnumbered, room: Reservation): Promise<CopiedOutcome | 'full'> {
    const { primary } = this.#place
    write.epoch = primary.epoch
    write.seq = primary.nextSeq()
    this.#mutation.seq = write.seq
    return primary.write(write, room)
  }

  /** M2. An unmap needs no room: it was refused for what stood before it (GC6 of store/commit-queue.ts). */
  async #writeAgain(write: Unnumbered): Promise<void> {
    const { primary } = this.#place
    const isFreed = await primary.store.makeRoom()
    if (this.#isLate()) return
    while (primary.mustWait(this)) {
      await new Promise<void>((resolve) => primary.whenMayWrite(resolve))
      if (this.#isLate()) return
    }
    const room = isFreed || write.data === null ? primary.store.admit(write) : null
    if (room === null) this.#leaveAsRead('full')
    else this.#leave(await this.#handIn(write, room))
  }

  /** V12 of primary.ts: it comes to what was read, and nothing is written. */
  #leaveAsRead(outcome: CompareOutcome): void {
    const { primary } = this.#place
    if (this.#isLate()) return // Nobody would say so any more.
    if (primary.isCurrent) this.#leave(outcome)
    else primary.whenCurrent(() => this.#leave(outcome))
  }

  /** V8: the slice has left before anything was written. */
  #isLate(): boolean {
    const { isOver } = this.#place.primary
    if (isOver) this.#leave('stale')
    return isOver
  }

  #leave(outcome: CompareOutcome | Stale): void {
    const { primary, window } = this.#place
    const { number } = this.#mutation
    // What was written is remembered: sent to this member again, it is not carried out again.
    if (outcome === 'stale' || (primary.isOver && outcome !== 'done')) window.answers.delete(number)
    else window.settle(number, outcome)
    primary.order.leave(this)
    this.#resolve(primary.isOver ? 'stale' : outcome) // V8
  }
}

function worst(outcomes: readonly (CopiedOutcome | 'full')[]): CopiedOutcome | 'full' {
  if (outcomes.includes('stale')) return 'stale'
  return outcomes.includes('full') ? 'full' : 'done'
}

function worse(a: ReadOutcome, b: ReadOutcome): ReadOutcome {
  return a === 'done' ? b : a
}

function isNotZero(byte: number): boolean {
  return byte !== 0
}

/** The first byte of `expected` that `bytes` does not have from `at` on; -1: none. */
function firstDifference(bytes: Uint8Array, at: number, expected: Uint8Array): number {
  for (let i = 0; i < expected.length; i += 1) {
    if (bytes[at + i] !== expected[i]) return i
  }
  return -1
}
