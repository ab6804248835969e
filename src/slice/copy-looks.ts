// What a primary does about a copy that is not as it should be, and a copy about a primary that is silent: decided at looks that
// come now and then. Pure.
//
// Invariants:
//   LK1. Whoever is judged silent is so at several looks in a row: a member that stood still itself reads first what came
//        meanwhile. Who is proven dead (PD1 of lease.ts) is not looked at again.
//   R4.  A copy that is silent, cannot keep what it is sent, or is dead, is removed (replica-set.ts).
//   R6.  Nobody takes over from who may still read (lease.ts).
//   R9.  A copy that has started again is activated anew before it counts (lease.ts).
import type { MemberId } from '../base/ids.ts'
import type { Trouble } from './copy-set.ts'

export const LOOK_MS = 100
/** LK1 */
const LOOKS = 3
/** Those behind the first of a slice's copies leave it the time to take over. */
const LOOKS_BEHIND = 4

/** A copy as its primary sees it. */
export interface SeenCopy {
  readonly member: MemberId
  readonly trouble: Trouble | null
  readonly hasRestarted: boolean
  /** It has a mutation unanswered for long, or grants no lease. */
  readonly isSilent: boolean
  /** The process that was activated is proven dead. */
  readonly isDead: boolean
}

export type Measure =
  | { readonly kind: 'again' }
  | { readonly kind: 'without'; readonly members: readonly MemberId[] }

/** At how many looks in a row each has been silent. */
export class SilentLooks {
  readonly #looks = new Map<MemberId, number>()

  /** True: at enough of them. */
  isSilent(member: MemberId, isNow: boolean, enough = LOOKS): boolean {
    if (!isNow) {
      this.#looks.delete(member)
      return false
    }
    const looks = (this.#looks.get(member) ?? 0) + 1
    this.#looks.set(member, looks)
    return looks >= enough
  }

  /** As if it had been so at enough of them. */
  proven(member: MemberId): void {
    this.#looks.set(member, Math.max(LOOKS, this.count(member)))
  }

  count(member: MemberId): number {
    return this.#looks.get(member) ?? 0
  }
}

/** R4, R9. Null: nothing is to be done. */
export function measureOf(copies: readonly SeenCopy[], looks: SilentLooks): Measure | null {
  const gone = copies
    .filter(({ member, trouble, isSilent, isDead }) => {
      const isLongSilent = looks.isSilent(member, isSilent)
      return trouble === 'cannot' || isDead || isLongSilent
    })
    .map(({ member }) => member)
  if (gone.length > 0) return { kind: 'without', members: gone }
  const isAgain = copies.some(({ trouble, hasRestarted }) => trouble === 'refuses' || hasRestarted)
  return isAgain ? { kind: 'again' } : null
}

/** R6. `place`: among the copies that may take over. */
export function mayTry(silentLooks: number, place: number): boolean {
  return silentLooks >= LOOKS + place * LOOKS_BEHIND
}
