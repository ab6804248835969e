// How many of a total each bearer is to have: by weight, in whole numbers, and no failure domain more than its bound.
//
// Invariants:
//   PL1. The shares add up to the total, and each is its part by weight rounded up or down, unless a bound says less. Of equal
//        claims to the last one, who has more now goes first, so that nothing moves for a rounding.
import { assert } from '../base/assert.ts'

export interface Claim {
  readonly weight: number
  /** What it has now; for PL1. */
  readonly now: number
}

/** `most`: the bound of each one. The total has to fit. */
export function sharesOf(total: number, claims: readonly Claim[], most: number): readonly number[] {
  assert(total <= most * claims.length, 'the shares fit into their bounds')
  const parts = boundedParts(total, claims, most)
  const shares = parts.map(Math.floor)
  let left = total - shares.reduce((sum, share) => sum + share, 0)
  const order = [...claims.keys()].sort(
    (a, b) => behind(a, parts, claims) - behind(b, parts, claims),
  )
  while (left > 0) {
    for (const index of order) {
      const share = shares[index] ?? 0
      if (left === 0 || share >= most) continue
      shares[index] = share + 1
      left -= 1
    }
  }
  return shares
}

/** By weight, those at their bound put aside again and again until the others' parts are below theirs. */
function boundedParts(total: number, claims: readonly Claim[], most: number): readonly number[] {
  const full = new Set<number>()
  for (;;) {
    const rest = total - full.size * most
    const weights = claims.reduce((sum, { weight }, i) => sum + (full.has(i) ? 0 : weight), 0)
    const parts = claims.map(({ weight }, i) =>
      full.has(i) ? most : weights > 0 ? (rest * weight) / weights : 0,
    )
    const over = parts.flatMap((part, i) => (part > most ? [i] : []))
    if (over.length === 0) return parts
    for (const index of over) full.add(index)
  }
}

/** The lower, the sooner: by the part that was rounded off, then by what it has now. */
function behind(index: number, parts: readonly number[], claims: readonly Claim[]): number {
  const part = parts[index] ?? 0
  const now = claims[index]?.now ?? 0
  return -(Math.round((part - Math.floor(part)) * 1e6) + now / (now + 1))
}
