// The order of what touches the same blocks of one slice. A turn has its place from `enter` on: it begins when everything
// that entered before it and overlaps it has left. Reads wait in the same line but hold nobody up.
//
// Invariants:
//   B1. Of two overlapping turns, the one that entered first leaves before the other begins.
//   B2. A read begins when every overlapping turn that entered before it has left.
import { assert } from '../base/assert.ts'
import type { VolumeId } from '../base/ids.ts'

/** Bytes [from, to) of a volume. */
export interface Extent {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
}

export interface Turn extends Extent {
  begin(): void
}

interface Waiting {
  before: number
  readonly begin: () => void
}

interface Place {
  readonly turn: Turn
  readonly behind: Waiting[]
}

export class BlockOrder {
  /** By order of entry; seldom more than the depth of a few sessions. */
  readonly #places: Place[] = []
  readonly #whenIdle: (() => void)[] = []

  get isIdle(): boolean {
    return this.#places.length === 0
  }

  /** Takes its place; `begin` is called now or when its time has come. */
  enter(turn: Turn): void {
    const waiting = this.#wait(turn, () => turn.begin())
    this.#places.push({ turn, behind: [] })
    if (waiting === null) turn.begin()
  }

  /** The turn is over: those that waited for it alone begin. */
  leave(turn: Turn): void {
    const at = this.#places.findIndex((place) => place.turn === turn)
    const place = this.#places[at]
    assert(place !== undefined, 'B1: only a turn that entered leaves')
    this.#places.splice(at, 1)
    for (const waiting of place.behind) {
      waiting.before -= 1
      if (waiting.before === 0) waiting.begin()
    }
    if (this.#whenIdle.length === 0 || !this.isIdle) return
    for (const told of this.#whenIdle.splice(0)) told()
  }

  /** Settles when every turn has left. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
    })
  }

  /** B2. Null: nothing is in the way, and `begin` will not be called. */
  readAfter(extent: Extent, begin: () => void): object | null {
    return this.#wait(extent, begin)
  }

  /** Whether a read of it would have to wait. */
  isTaken(extent: Extent): boolean {
    return this.#places.some(({ turn }) => overlap(turn, extent))
  }

  #wait(extent: Extent, begin: () => void): Waiting | null {
    let waiting: Waiting | null = null
    for (const { turn, behind } of this.#places) {
      if (!overlap(turn, extent)) continue
      waiting ??= { before: 0, begin }
      waiting.before += 1
      behind.push(waiting)
    }
    return waiting
  }
}

export function overlap(one: Extent, other: Extent): boolean {
  return one.volume === other.volume && one.from < other.to && other.from < one.to
}
