// Slices of this member that are raised one by one: as many as ask meanwhile, and one transaction takes, at once. When a member
// falls silent, or comes back, hundreds do.
//
// Invariants:
//   RA1. All of one transaction are raised, or none: what a slice is to become is asked of each as it was read for that transaction.
import type { SliceId } from '../base/ids.ts'
import { keys } from '../group/record.ts'
import type { StoredSlice } from '../group/slices.ts'
import { type Activation, type ActivationDeps, activate, TAKEN_MOST } from './activation.ts'
import type { SliceWish } from './tenure.ts'

interface Asked {
  readonly id: SliceId
  readonly isOver: () => boolean
  readonly wish: SliceWish
  readonly resolve: (stored: StoredSlice | null) => void
  readonly reject: (error: unknown) => void
}

export interface RaisingDeps extends ActivationDeps {
  readonly load: (activation: Activation) => void
}

export class Raising {
  readonly #deps: RaisingDeps
  #asked: Asked[] = []
  #isAtWork = false

  constructor(deps: RaisingDeps) {
    this.#deps = deps
  }

  /** Null: the record does not name this member any more, or `isOver`. Rejects when the own store has failed. */
  one(id: SliceId, isOver: () => boolean, wish: SliceWish): Promise<StoredSlice | null> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ id, isOver, wish, resolve, reject })
      if (this.#isAtWork) return
      this.#isAtWork = true
      this.#deps.clock.soon(() => void this.#work())
    })
  }

  async #work(): Promise<void> {
    while (this.#asked.length > 0) {
      const some = this.#asked.slice(0, TAKEN_MOST)
      this.#asked = this.#asked.slice(TAKEN_MOST)
      try {
        const slices = await this.#raise(some)
        for (const { id, resolve } of some) resolve(slices?.get(id) ?? null)
      } catch (error) {
        for (const { reject } of some) reject(error)
      }
    }
    this.#isAtWork = false
  }

  /** RA1 */
  async #raise(some: readonly Asked[]): Promise<Activation['slices'] | null> {
    const { self, isClosed, load } = this.#deps
    const wanted = new Map(some.map((asked) => [asked.id, asked]))
    const activation = await activate(
      { ...this.#deps, isClosed: () => isClosed() || some.every(({ isOver }) => isOver()) },
      ({ id, record, rev }, to) => {
        const asked = wanted.get(id)
        if (asked === undefined || asked.isOver() || record.primary !== self) return null
        return asked.wish(record, to, rev)
      },
      some.map(({ id }) => keys.slice(id)),
    )
    if (activation === null) return null
    load(activation)
    return activation.slices
  }
}
