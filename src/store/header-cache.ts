// Headers of slots in memory, with one bit a block for "believed to be in the page cache of the operating system". A page
// that is not here is cold. Places are given up in the manner of a clock: a page that was used since the hand last passed
// stays.
//
// Invariants:
//   HC1. The operating system forgets first what was used longest ago, and does not say so. So when a block was believed resident
//        and was not, nothing of its page is believed any more, and soon after another one nothing of any page that was used no
//        later either. One alone may be an accident: the disk may have read ahead, and not for what was wanted.
//   HC2. What is doubted only for its age is tried again: of one page at a time what was believed counts once more, and that is kept if
//        the read did not wait. Each one that waited makes them four times as seldom, so that what is cold for good costs a few waits in all.
import { assert } from '../base/assert.ts'
import { clearBit, hasBit, setBit } from './bitmap.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'
import type { PageTable } from './page-table.ts'
import { type HeaderContent, readContent } from './slot-header.ts'

const FREE = -1
/** HC1: so many uses later is no more soon. */
const SOON_USES = 64
/** HC2: so many uses between two tries, at most. */
const TRY_USES_MOST = 4096

export class HeaderCache implements HeaderContent {
  readonly present: Uint32Array
  readonly damaged: Uint32Array
  readonly checksums: Uint32Array
  /** Believed resident, unless the page's last use is in doubt (HC1). */
  readonly #hot: Uint32Array
  /** What was believed of it when it was doubted for its age, and 1 if that is still to be tried. */
  readonly #before: Uint32Array
  readonly #aside: Uint8Array
  /** HC2: uses between two tries, when the next one may be, and the place of the last. */
  #tryUses = SOON_USES
  #nextTry = 0
  #tried = FREE
  /** Uses of pages so far, and each place's last one. */
  #uses = 0
  readonly #lastUse: Float64Array
  /** HC1: up to this use. */
  #doubtedUpTo = 0
  #lastDoubt = Number.NEGATIVE_INFINITY
  /** Of the page in use: when it was used before. */
  #useBefore = 0
  /** Which copy on disk this is. */
  readonly copy: Uint8Array
  readonly #owner: Int32Array
  readonly #used: Uint8Array
  readonly #table: PageTable
  #hand = 0

  constructor(table: PageTable, pages: number) {
    assert(pages >= 1, 'the cache of headers holds at least one')
    this.#table = table
    this.present = new Uint32Array(pages * MAP_WORDS)
    this.damaged = new Uint32Array(pages * MAP_WORDS)
    this.#hot = new Uint32Array(pages * MAP_WORDS)
    this.#before = new Uint32Array(pages * MAP_WORDS)
    this.#aside = new Uint8Array(pages)
    this.#lastUse = new Float64Array(pages)
    this.checksums = new Uint32Array(pages * BLOCKS_PER_PAGE)
    this.copy = new Uint8Array(pages)
    this.#owner = new Int32Array(pages).fill(FREE)
    this.#used = new Uint8Array(pages)
  }

  /** The page's place, or −1. */
  find(entry: number): number {
    const place = this.#table.cached[entry] ?? -1
    if (place >= 0) this.#used[place] = 1
    return place
  }

  /** Blocks of the page are about to be read, or were just written: it is the page in use. */
  use(place: number): void {
    this.#useBefore = this.#lastUse[place] ?? 0
    if (this.#useBefore <= this.#doubtedUpTo) this.#setAside(place)
    else if (this.#aside[place] === 1 && this.#uses >= this.#nextTry) this.#tryAgain(place)
    this.#uses += 1
    this.#lastUse[place] = this.#uses
  }

  /** Of the page in use. */
  isHot(place: number, block: number): boolean {
    return hasBit(this.#hot, place * MAP_WORDS, block)
  }

  /** Of the page in use: from the first to the last, these are resident now. */
  believe(place: number, first: number, last: number): void {
    for (let block = first; block <= last; block += 1) setBit(this.#hot, place * MAP_WORDS, block)
  }

  disbelieve(place: number, block: number): void {
    clearBit(this.#hot, place * MAP_WORDS, block)
  }

  /** HC1: of the page in use something was believed resident that was not. */
  doubt(place: number): void {
    const isSoon = this.#uses - this.#lastDoubt <= SOON_USES
    this.#lastDoubt = this.#uses
    if (place === this.#tried) this.#tryUses = Math.min(TRY_USES_MOST, this.#tryUses * 4)
    this.#tried = FREE
    this.#nextTry = this.#uses + this.#tryUses
    if (isSoon) this.#doubtedUpTo = Math.max(this.#doubtedUpTo, this.#useBefore)
    this.#believeNothing(place)
  }

  /** Takes the header that was read from disk; nothing of the page is believed hot yet. */
  load(entry: number, bytes: Uint8Array, copy: 0 | 1): number {
    const place = this.#placeFor(entry)
    readContent(bytes, copy, this, place)
    this.copy[place] = copy
    this.#believeNothing(place)
    return place
  }

  /** Takes the header that has just been written home. */
  put(entry: number, content: HeaderContent, copy: 0 | 1): number {
    const known = this.find(entry)
    const place = known >= 0 ? known : this.#placeFor(entry)
    if (known < 0) this.#believeNothing(place)
    this.present.set(content.present, place * MAP_WORDS)
    this.damaged.set(content.damaged, place * MAP_WORDS)
    this.checksums.set(content.checksums, place * BLOCKS_PER_PAGE)
    this.copy[place] = copy
    return place
  }

  evict(entry: number): void {
    const place = this.#table.cached[entry] ?? -1
    if (place < 0) return
    this.#owner[place] = FREE
    this.#table.cached[entry] = -1
  }

  #believeNothing(place: number): void {
    this.#hot.fill(0, place * MAP_WORDS, (place + 1) * MAP_WORDS)
    this.#before.fill(0, place * MAP_WORDS, (place + 1) * MAP_WORDS)
    this.#aside[place] = 0
  }

  /** HC1 */
  #setAside(place: number): void {
    const end = (place + 1) * MAP_WORDS
    this.#aside[place] = 1
    for (let at = place * MAP_WORDS; at < end; at += 1) {
      this.#before[at] = (this.#before[at] ?? 0) | (this.#hot[at] ?? 0)
      this.#hot[at] = 0
    }
  }

  /** HC2 */
  #tryAgain(place: number): void {
    const end = (place + 1) * MAP_WORDS
    for (let at = place * MAP_WORDS; at < end; at += 1) {
      this.#hot[at] = (this.#hot[at] ?? 0) | (this.#before[at] ?? 0)
      this.#before[at] = 0
    }
    this.#aside[place] = 0
    // The last one did not wait, or the doubt would have forgotten it.
    if (this.#tried !== FREE) this.#tryUses = Math.max(1, this.#tryUses / 2)
    this.#tried = place
    this.#nextTry = this.#uses + this.#tryUses
  }

  #placeFor(entry: number): number {
    this.evict(entry)
    for (;;) {
      const place = this.#hand
      this.#hand = (place + 1) % this.#owner.length
      const owner = this.#owner[place] ?? FREE
      if (owner !== FREE && this.#used[place] === 1) {
        this.#used[place] = 0
        continue
      }
      if (owner !== FREE) this.#table.cached[owner] = -1
      this.#owner[place] = entry
      this.#used[place] = 1
      this.#table.cached[entry] = place
      return place
    }
  }
}
