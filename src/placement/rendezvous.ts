// How well a member and a slice go together: a draw that depends on these two alone (weighted rendezvous hashing). So the
// slices of a member that leaves spread over all others, and one that comes takes from all.
import { Prng, seedOf } from '../base/prng.ts'

/** Apart in all bits for neighbouring slices (the golden ratio as 32 bits). */
const STRIDE = 0x9e3779b1

/** Of one member. The slice prefers who has the highest; a member of weight w is preferred w times as often. */
export function preferences(id: string, weight: number): (slice: number) => number {
  const seed = seedOf(id)
  return (slice) => {
    const draw = new Prng(seed ^ Math.imul(slice + 1, STRIDE)).unit()
    return weight / -Math.log(draw + Number.MIN_VALUE)
  }
}
