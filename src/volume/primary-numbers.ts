// Small numbers for members, in the order in which this member first met them: the index of what is counted by primary.
import type { MemberId } from '../base/ids.ts'

/** As many as `SessionCounters` has places; the members beyond share the last one. */
const NUMBERS = 64

export class PrimaryNumbers {
  readonly #numbers = new Map<MemberId, number>()

  of(member: MemberId): number {
    const known = this.#numbers.get(member)
    if (known !== undefined) return known
    const number = Math.min(this.#numbers.size, NUMBERS - 1)
    this.#numbers.set(member, number)
    return number
  }
}
