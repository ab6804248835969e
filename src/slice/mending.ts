// How a page of which a store has lost something is mended: as another copy in sync has it, at the primary of its slice, and from
// there at a copy. Nobody's reads and writes stop for it, but writes of that page while it is copied.
//
// Invariants:
//   MD1. A page is taken from a copy only if that is not older than the own stamp of it, and while no write of it is under way here
//        (V14 of primary.ts). It is given to the store under that same stamp.
//   MD2. That a page is damaged is answered only when no copy in sync gives it: asked so often that a copy which is behind, begins
//        anew or is left out has done so by then.
//   MD3. What is damaged at a copy is sent to it by the primary, as the primary has it while no write of the page is under way: in its
//        place in the order of what is sent to that copy. The primary's own is mended before. Neither is done while its own store
//        lacks something that has a number.
//   MD4. Copies that have lost different blocks of a page mend each other: a block is taken from any of those with the same stamp.
import { sleep } from '../base/clock.ts'
import type { MemberId, SliceId, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { answerStatus } from '../peer/message.ts'
import { type PageCopy, type PageParts, unite, wholeOf } from '../store/page-copy.ts'
import { isAfter, isSame } from '../store/stamp.ts'
import { NEVER } from './alignment.ts'
import { Asking, type AskingDeps, emptyPage, Unanswered } from './asking.ts'
import type { Mended } from './copy-messages.ts'
import { FetchRequest, InstallRequest } from './copy-request.ts'
import type { CopySet } from './copy-set.ts'
import type { MendPage, Primary } from './primary.ts'

/** MD2: some seconds. */
const ATTEMPTS = 40
const AGAIN_MS = 100
/** Pages that are sent to copies; others are told to ask again. */
const GIVEN_AT_ONCE = 4

interface Place {
  readonly slice: SliceId
  readonly volume: VolumeId
  readonly page: number
}

export interface MendingDeps extends AskingDeps {
  /** Told of each page. */
  readonly mended?: ((volume: VolumeId, page: number) => void) | undefined
}

export class Mending {
  readonly #deps: MendingDeps
  /** By page: all that find it damaged meanwhile wait for the same. */
  readonly #underWay = new Map<string, Promise<boolean>>()
  #given = 0

  constructor(deps: MendingDeps) {
    this.#deps = deps
  }

  /** For the primary of this slice. */
  of(slice: SliceId): MendPage {
    return (primary, volume, page) => this.mend(primary, { slice, volume, page })
  }

  /** False: no copy has it, or the slice has left. Rejects when the store has failed. */
  mend(primary: Primary, place: Place): Promise<boolean> {
    const key = `${place.volume}:${place.page}`
    const known = this.#underWay.get(key)
    if (known !== undefined) return known
    const mending = this.#mend(primary, place).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, mending)
    return mending
  }

  /** MD3. Asked by a copy. Rejects when the store has failed. */
  async give(primary: Primary, place: Place, to: MemberId): Promise<Mended> {
    if (this.#given >= GIVEN_AT_ONCE) return 'later'
    this.#given += 1
    try {
      if (!(await this.mend(primary, place))) return primary.isOver ? 'later' : 'none'
      const { copies } = primary
      const isThere = copies?.others.some(({ member }) => member === to) === true
      return isThere && (await this.#give(primary, copies, place, to)) ? 'good' : 'later'
    } finally {
      this.#given -= 1
    }
  }

  /** MD3 */
  #give(primary: Primary, copies: CopySet, place: Place, to: MemberId): Promise<boolean> {
    return this.#holding(primary, copies, place, async (asking, of) => {
      const found = await this.#deps.store.pageOf(place.volume, place.page)
      if (found === 'damaged' || copies.isOwnFull) return false
      const copy = found ?? emptyPage(NEVER)
      const status = await asking.request<number>(to, (told) => new InstallRequest(of, copy, told))
      return status === answerStatus.done
    })
  }

  async #mend(primary: Primary, place: Place): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { copies } = primary
      if (primary.isOver) return false
      if ((await this.#deps.store.pageOf(place.volume, place.page)) !== 'damaged') return true
      if (copies === null || copies.others.length === 0) return false
      if (await this.#once(primary, copies, place)) {
        this.#deps.mended?.(place.volume, place.page)
        return true
      }
      await sleep(this.#deps.clock, AGAIN_MS)
    }
    return false
  }

  /** MD1 */
  #once(primary: Primary, copies: CopySet, place: Place): Promise<boolean> {
    const { store } = this.#deps
    const { volume, page } = place
    return this.#holding(primary, copies, place, async (asking, of) => {
      const own = await store.partsOf(volume, page)
      if (copies.isOwnFull) return false
      let best = own === 'damaged' ? null : own
      for (const { member } of copies.others) {
        const theirs = await asking.request<PageParts | null>(
          member,
          (told) => new FetchRequest(of, told),
        )
        if (theirs === null) continue
        best = better(best, theirs)
        const copy = wholeOf(best)
        if (copy !== null && copy !== 'damaged') return this.#install(place, copy)
      }
      return false
    })
  }

  async #install(place: Place, copy: PageCopy): Promise<boolean> {
    const { present, blocks, checksums, stamp } = copy
    return (
      (await this.#deps.store.install({ ...place, present, blocks, checksums, stamp })) === 'done'
    )
  }

  /** V14 of primary.ts. False: a copy did not answer, or the epoch is over. */
  async #holding(
    primary: Primary,
    copies: CopySet,
    place: Place,
    work: (asking: Asking, of: Place & { readonly epoch: Primary['epoch'] }) => Promise<boolean>,
  ): Promise<boolean> {
    const { volume, page } = place
    const from = page * PAGE_BYTES
    const isOver = () => primary.isOver || primary.copies !== copies
    const of = { ...place, epoch: primary.epoch }
    await primary.hold({ volume, from, to: from + PAGE_BYTES })
    try {
      return !isOver() && (await work(new Asking(this.#deps, of, isOver), of))
    } catch (error) {
      if (error instanceof Unanswered) return false
      throw error
    } finally {
      primary.release()
    }
  }
}

/** MD1 MD4 */
function better(known: PageParts | null, theirs: PageParts): PageParts {
  if (known === null || isAfter(theirs.stamp, known.stamp)) return theirs
  return isSame(known.stamp, theirs.stamp) ? unite(known, theirs) : known
}
