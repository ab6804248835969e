// Makes counts level by moving one thing at a time, from who has more than its share to who has less: directly, or through
// others where the two have nothing that may pass between them.
//
// Invariants:
//   PL6. Each round brings one thing from above a share to below one, so there are no more rounds than things; it ends when
//        all are at their share, or when no way is left.
import { assert } from '../base/assert.ts'

export interface Levelling {
  /** By bearer; kept up to date here. */
  readonly counts: number[]
  readonly shares: readonly number[]
  /** By bearer: the slices that it may give; kept up to date here. */
  readonly held: readonly Set<number>[]
  readonly may: (slice: number, from: number, to: number) => boolean
  /** Of the slices that may pass, the one with the highest does. */
  readonly liking: (slice: number, from: number, to: number) => number
  readonly move: (slice: number, from: number, to: number) => void
}

export function levelled(levelling: Levelling): void {
  const ways = new Ways(levelling)
  const { counts } = levelling
  const stuck = new Set<number>()
  for (;;) {
    const most = [...counts.keys()]
      .filter((index) => ways.surplus(index) > 0 && !stuck.has(index))
      .reduce<number | null>(
        (a, b) => (a === null || ways.surplus(b) > ways.surplus(a) ? b : a),
        null,
      )
    if (most === null) return
    if (!ways.moveOne(most)) stuck.add(most)
    else stuck.clear()
  }
}

interface Step {
  readonly from: number
  readonly slice: number
}

type Reached = Map<number, Step | null>

class Ways {
  readonly #levelling: Levelling
  /** By two bearers: what may pass from one to the other, the best last. What has changed since is found when it is taken. */
  readonly #queues = new Map<string, number[]>()

  constructor(levelling: Levelling) {
    this.#levelling = levelling
  }

  surplus(index: number): number {
    const { counts, shares } = this.#levelling
    return (counts[index] ?? 0) - (shares[index] ?? 0)
  }

  /** The shortest way from `start` to somebody below its share; of equally short ones the one to whoever lacks most. */
  moveOne(start: number): boolean {
    const all = [...this.#levelling.counts.keys()]
    const lacking = all
      .filter((index) => this.surplus(index) < 0)
      .sort((a, b) => this.surplus(a) - this.surplus(b))
    const reached: Reached = new Map([[start, null]])
    for (let edge: readonly number[] = [start]; edge.length > 0; ) {
      for (const end of lacking) {
        if (edge.some((from) => this.#reach(from, end, reached))) {
          this.#carryOut(end, reached)
          return true
        }
      }
      const before = edge
      edge = all.filter(
        (to) => !reached.has(to) && before.some((from) => this.#reach(from, to, reached)),
      )
    }
    return false
  }

  #reach(from: number, to: number, reached: Reached): boolean {
    const slice = this.#best(from, to, slicesUpTo(from, reached))
    if (slice !== null) reached.set(to, { from, slice })
    return slice !== null
  }

  #best(from: number, to: number, but: ReadonlySet<number>): number | null {
    const { held, may } = this.#levelling
    const key = `${from} ${to}`
    const queue = this.#queues.get(key) ?? []
    for (let at = queue.length - 1; at >= 0; at -= 1) {
      const slice = queue[at] ?? 0
      if (held[from]?.has(slice) !== true || !may(slice, from, to)) queue.splice(at, 1)
      else if (!but.has(slice)) return slice
    }
    const anew = this.#queue(from, to)
    this.#queues.set(key, anew)
    return anew.findLast((slice) => !but.has(slice)) ?? null
  }

  #queue(from: number, to: number): number[] {
    const { held, may, liking } = this.#levelling
    return [...(held[from] ?? [])]
      .filter((slice) => may(slice, from, to))
      .map((slice) => ({ slice, liked: liking(slice, from, to) }))
      .sort((a, b) => (a.liked === b.liked ? 0 : a.liked < b.liked ? -1 : 1))
      .map(({ slice }) => slice)
  }

  /** From the end back to the start, so that each gives what it had before it is given something. */
  #carryOut(end: number, reached: Reached): void {
    const { counts, held, move } = this.#levelling
    for (let to = end; ; ) {
      const step = reached.get(to)
      assert(step !== undefined, 'a way leads back to its start')
      if (step === null) return
      const { from, slice } = step
      move(slice, from, to)
      held[from]?.delete(slice)
      held[to]?.add(slice)
      counts[from] = (counts[from] ?? 0) - 1
      counts[to] = (counts[to] ?? 0) + 1
      to = from
    }
  }
}

/** A slice passes once on a way: what may pass is looked at before any has. */
function slicesUpTo(end: number, reached: Reached): ReadonlySet<number> {
  const slices = new Set<number>()
  for (let step = reached.get(end); step != null; step = reached.get(step.from))
    slices.add(step.slice)
  return slices
}
