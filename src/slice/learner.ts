// A member that is to have a copy again, as the primary sees it: which pages are equal there by now, and which are still to be
// copied. Pure. learning.ts does the copying.
//
// Invariants:
//   R8.  A page counts as equal from when it was found so, or was copied while no write of it was under way (V14 of primary.ts); every
//        write of it is sent to the learner from then on, or it counts as unequal again. Where a learner differs the primary's
//        state wins, whatever the stamps; it joins when nothing differs.
//   LN2. Only pages of the slice are looked at: an unmap names more than one run (W6 of volume/gateway.ts), and what lies between the
//        slice's own is other slices', of which the learner may have a newer state than this primary.
//   LN1. What has to be kept of it is bounded: a write of very many pages makes all of them unknown, and they are listed anew.
import type { Clock } from '../base/clock.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Bytes } from './lanes.ts'

/** LN1 */
const PAGES_MOST = 1_024
/** A write unanswered for so long: it is no learner any more. */
const SILENT_MS = 1_500

export interface PagePlace {
  readonly volume: VolumeId
  readonly page: number
}

/** LN2 */
export type OwnRuns = (volume: VolumeId, bytes: Bytes) => readonly Bytes[]

export class Learner {
  readonly member: MemberId
  isOver = false
  /** Since something was awaited of it, or it has answered. */
  heardMs: number
  readonly #clock: Clock
  readonly #runs: OwnRuns
  readonly #equal = new Set<string>()
  readonly #unequal = new Map<string, PagePlace>()

  constructor(member: MemberId, clock: Clock, runs: OwnRuns) {
    this.member = member
    this.#runs = runs
    this.#clock = clock
    this.heardMs = clock.nowMs()
  }

  /** Pages that are to be copied. */
  get left(): number {
    return this.#unequal.size
  }

  /** R8. Whether a write is to be sent to it. */
  isEqual(write: StoreWrite): boolean {
    const pages = this.#pagesOf(write)
    if (pages === null) {
      this.isOver = true
      return false
    }
    if (pages.every((page) => this.#equal.has(keyOf(page)))) return true
    for (const page of pages) this.unequal(page)
    return false
  }

  unequal(page: PagePlace): void {
    const key = keyOf(page)
    this.#equal.delete(key)
    this.#unequal.set(key, page)
  }

  /** It was listed so, and nothing has written it since. */
  found(page: PagePlace): void {
    if (!this.#unequal.has(keyOf(page))) this.#equal.add(keyOf(page))
  }

  /** R8. Unless it was written meanwhile. */
  copied(page: PagePlace): void {
    if (!this.#unequal.has(keyOf(page))) this.#equal.add(keyOf(page))
  }

  /** The next one to be copied; null: there is none. It is nobody else's until it was copied. */
  next(): PagePlace | null {
    const [first] = this.#unequal
    if (first === undefined) return null
    this.#unequal.delete(first[0])
    return first[1]
  }

  /** `isAwaited`: a write is unanswered. Looked at now and then. */
  isSilent(isAwaited: boolean): boolean {
    if (!isAwaited) this.heardMs = this.#clock.nowMs()
    return this.#clock.nowMs() - this.heardMs > SILENT_MS
  }

  /** LN2. Null: very many. */
  #pagesOf({ volume, offset, bytes, edges }: StoreWrite): readonly PagePlace[] | null {
    const pages: PagePlace[] = []
    const from = offset - (edges?.head ? BLOCK_BYTES : 0)
    const to = offset + bytes + (edges?.tail ? BLOCK_BYTES : 0)
    for (const run of this.#runs(volume, { from, to })) {
      const first = Math.floor(run.from / PAGE_BYTES)
      for (let page = first; page * PAGE_BYTES < run.to; page += 1) pages.push({ volume, page })
      if (pages.length > PAGES_MOST) return null
    }
    return pages
  }
}

function keyOf({ volume, page }: PagePlace): string {
  return `${volume}:${page}`
}
