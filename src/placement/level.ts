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
  const { counts, shares } = levelling
  const surplus = (index: number) => (counts[index] ?? 0) - (shares[index] ?? 0)
  const stuck = new Set<number>()
  for (;;) {
    const most = [...counts.keys()]
      .filter((index) => surplus(index) > 0 && !stuck.has(index))
      .reduce<number | null>((a, b) => (a === null || surplus(b) > surplus(a) ? b : a), null)
    if (most === null) return
    if (!moveOne(levelling, most, surplus)) stuck.add(most)
    else stuck.clear()
  }
}

interface Step {
  readonly from: number
  readonly slice: number
}

/** The shortest way from `start` to somebody below its share; of equally short ones the one to whoever lacks most. */
function moveOne(levelling: Levelling, start: number, surplus: (index: number) => number): boolean {
  const lacking = [...levelling.counts.keys()]
    .filter((index) => surplus(index) < 0)
    .sort((a, b) => surplus(a) - surplus(b))
  const reached = new Map<number, Step | null>([[start, null]])
  for (let edge: readonly number[] = [start]; edge.length > 0; ) {
    for (const end of lacking) {
      if (edge.some((from) => reach(levelling, from, end, reached))) {
        carryOut(levelling, end, reached)
        return true
      }
    }
    edge = [...levelling.counts.keys()].filter(
      (to) => !reached.has(to) && edge.some((from) => reach(levelling, from, to, reached)),
    )
  }
  return false
}

function reach(
  levelling: Levelling,
  from: number,
  to: number,
  reached: Map<number, Step | null>,
): boolean {
  const slice = bestOf(levelling, { from, to, but: slicesUpTo(from, reached) })
  if (slice !== null) reached.set(to, { from, slice })
  return slice !== null
}

/** A slice passes once on a way: what may pass is looked at before any has. */
function slicesUpTo(end: number, reached: ReadonlyMap<number, Step | null>): ReadonlySet<number> {
  const slices = new Set<number>()
  for (let step = reached.get(end); step != null; step = reached.get(step.from))
    slices.add(step.slice)
  return slices
}

function bestOf(
  { held, may, liking }: Levelling,
  {
    from,
    to,
    but,
  }: { readonly from: number; readonly to: number; readonly but: ReadonlySet<number> },
): number | null {
  let best: number | null = null
  let likes = 0
  for (const slice of held[from] ?? []) {
    if (but.has(slice) || !may(slice, from, to)) continue
    const liked = liking(slice, from, to)
    if (best !== null && liked <= likes) continue
    best = slice
    likes = liked
  }
  return best
}

/** From the end back to the start, so that each gives what it had before it is given something. */
function carryOut(
  { counts, held, move }: Levelling,
  end: number,
  reached: ReadonlyMap<number, Step | null>,
): void {
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
