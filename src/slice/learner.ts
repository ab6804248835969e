// A member that is to have a copy again, as the primary sees it: which pages are equal there by now, and which are still to be
// copied. Pure. learning.ts does the copying.
//
// Invariants:
//   R8.  A page counts as equal from when it was found so, or was copied while no write of it was under way (V14 of primary.ts); every
//        write of it is sent to the learner from then on, or it counts as unequal again. Where a learner differs the primary's
//        state wins, whatever the stamps; it joins when nothing differs.
//   LN1. What has to be kept of it is bounded: a write of very many pages makes all of them unknown, and they are listed anew.
import type { Clock } from '../base/clock.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import type { StoreWrite } from '../store/record.ts'

/** LN1 */
const PAGES_MOST = 1_024
/** A write unanswered for so long: it is no learner any more. */
const SILENT_MS = 1_500

export interface PagePlace {
  readonly volume: VolumeId
  readonly page: number
}

export class Learner {
  readonly member: MemberId
  isOver = false
  /** Since something was awaited of it, or it has answered. */
  heardMs: number
  readonly #clock: Clock
  readonly #equal = new Set<string>()
  readonly #unequal = new Map<string, PagePlace>()

  constructor(member: MemberId, clock: Clock) {
    this.member = member
    this.#clock = clock
    this.heardMs = clock.nowMs()
  }

  /** Pages that are to be copied. */
  get left(): number {
    return this.#unequal.size
  }

  /** R8. Whether a write is to be sent to it. */
  isEqual(write: StoreWrite): boolean {
    const pages = pagesOf(write)
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
}

/** Null: very many. */
function pagesOf({ volume, offset, bytes, edges }: StoreWrite): readonly PagePlace[] | null {
  const from = offset - (edges?.head ? BLOCK_BYTES : 0)
  const to = offset + bytes + (edges?.tail ? BLOCK_BYTES : 0)
  const first = Math.floor(from / PAGE_BYTES)
  const count = Math.ceil(to / PAGE_BYTES) - first
  if (count > PAGES_MOST) return null
  return Array.from({ length: count }, (_, at) => ({ volume, page: first + at }))
}

function keyOf({ volume, page }: PagePlace): string {
  return `${volume}:${page}`
}
