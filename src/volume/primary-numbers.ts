// Small numbers for members, in the order in which this member first met them: the index of what is counted by primary. Members
// beyond the last number share it.
import type { MemberId } from '../base/ids.ts'
import { PRIMARIES_MAX } from '../load/counters.ts'

export class PrimaryNumbers {
  readonly #numbers = new Map<MemberId, number>()

  of(member: MemberId): number {
    const known = this.#numbers.get(member)
    if (known !== undefined) return known
    const number = Math.min(this.#numbers.size, PRIMARIES_MAX - 1)
    this.#numbers.set(member, number)
    return number
  }
}
