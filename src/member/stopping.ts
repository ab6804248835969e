// Which other members have said that they stop, and how far they are with it. What one has said counts for that start of it.
import type { MemberId } from '../base/ids.ts'

interface Said {
  readonly boot: string | null
  /** It needs nobody's pages any more. */
  isDrained: boolean
}

export class Stopping {
  readonly #said = new Map<MemberId, Said>()
  readonly #bootOf: (member: MemberId) => string | null

  /** `bootOf`: by the group record as it is now. */
  constructor(bootOf: (member: MemberId) => string | null) {
    this.#bootOf = bootOf
  }

  stops(member: MemberId): void {
    this.#said.set(member, { boot: this.#bootOf(member), isDrained: false })
  }

  drained(member: MemberId): void {
    const said = this.#said.get(member)
    if (said !== undefined) said.isDrained = true
  }

  /** It has not started since. */
  has(member: MemberId): boolean {
    const said = this.#said.get(member)
    return said !== undefined && said.boot === this.#bootOf(member)
  }

  /** Some have sessions still. */
  get areUnderWay(): boolean {
    for (const [member, { isDrained }] of this.#said)
      if (!isDrained && this.has(member)) return true
    return false
  }
}
