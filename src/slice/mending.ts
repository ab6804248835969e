// How a primary mends a page of which its own store has lost something: as a copy in sync has it.
//
// Invariants:
//   MD1. A page is taken from a copy only if that is not older than the own stamp of it, and while no write of it is under way here
//        (V14 of primary.ts). It is given to the store under that same stamp.
//   MD2. That a page is damaged is answered only when no copy in sync gives it: asked so often that a copy which is behind, begins
//        anew or is left out has done so by then.
import { sleep } from '../base/clock.ts'
import type { SliceId, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import type { PageCopy } from '../store/page-copy.ts'
import { isAfter } from '../store/stamp.ts'
import { Asking, type AskingDeps, Unanswered } from './asking.ts'
import { FetchRequest } from './copy-request.ts'
import type { CopySet } from './copy-set.ts'
import type { MendPage, Primary } from './primary.ts'

/** MD2: some seconds. */
const ATTEMPTS = 40
const AGAIN_MS = 100

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

  async #mend(primary: Primary, place: Place): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { copies } = primary
      if (primary.isOver || copies === null || copies.others.length === 0) return false
      if ((await this.#deps.store.pageOf(place.volume, place.page)) !== 'damaged') return true
      if (await this.#once(primary, copies, place)) {
        this.#deps.mended?.(place.volume, place.page)
        return true
      }
      await sleep(this.#deps.clock, AGAIN_MS)
    }
    return false
  }

  /** MD1 */
  async #once(primary: Primary, copies: CopySet, place: Place): Promise<boolean> {
    const { store } = this.#deps
    const { volume, page } = place
    const from = page * PAGE_BYTES
    const isOver = () => primary.isOver || primary.copies !== copies
    const of = { ...place, epoch: primary.epoch }
    const asking = new Asking(this.#deps, of, isOver)
    await primary.hold({ volume, from, to: from + PAGE_BYTES })
    try {
      for (const { member } of copies.others) {
        const copy = await asking.request<PageCopy | null>(
          member,
          (told) => new FetchRequest(of, told),
        )
        const own = store.stampOf(volume, page)
        if (copy === null || (own !== null && isAfter(own, copy.stamp))) continue
        return (await store.install({ ...place, ...copy })) === 'done'
      }
      return false
    } catch (error) {
      if (error instanceof Unanswered) return false
      throw error
    } finally {
      primary.release()
    }
  }
}
