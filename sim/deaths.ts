// What a launcher says of members that end: to each of the others that their process is dead, or not, soon or late, once or more
// often; also to one that has started since. A host that loses its power says nothing. By draws of its own.
import type { MemberId } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import type { Member } from '../src/member/member.ts'
import type { SimGroup } from './group.ts'

const SOON_MS = 30
const LATE_MS = 6_000

export class Deaths {
  readonly #group: SimGroup
  readonly #prng: Prng

  constructor(group: SimGroup) {
    this.#group = group
    this.#prng = new Prng(group.seed * 37 + 11)
  }

  /** Whether others go on without a member that is told to stop. */
  goOn(): () => boolean {
    const goOn = this.#prng.chance(0.7)
    return () => goOn
  }

  /** null: it had not opened its folder. */
  tell(ended: Member | null): void {
    const { members, shape } = this.#group
    if (ended === null || shape.copies === 1) return
    const { id: member, bootId: boot } = ended
    for (const { id } of members) {
      if (id === member) continue
      for (let times = this.#prng.pick([0, 1, 1, 1, 2]); times > 0; times -= 1) {
        const isLate = this.#prng.chance(0.2)
        this.#later(id, { member, boot }, this.#prng.integer(0, isLate ? LATE_MS : SOON_MS))
      }
    }
  }

  #later(to: MemberId, dead: { readonly member: MemberId; readonly boot: string }, ms: number) {
    const { timeline, totals } = this.#group
    timeline.after(ms, () => {
      const { member, clock } = this.#group.member(to)
      if (member === null || !clock.alive) return
      clock.deliver(() => {
        totals.deathsTold += 1
        member.slices.copies.died(dead)
      })
    })
  }
}
